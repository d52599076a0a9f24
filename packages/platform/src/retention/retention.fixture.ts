import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemActor } from '../audit/actor.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { localCaller, type Caller } from '../kernel/thread-channel.ts';
import { openTestRegistry, type TestRegistry } from '../registry/registry.fixture.ts';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import { FakeLog } from '../telemetry/fake-log.ts';
import { RollupReader } from '../telemetry/rollups/rollup-reader.ts';
import { StoreHarness } from '../telemetry/store-harness.ts';
import type { UpkeepStoreCalls } from '../telemetry/upkeep-calls.ts';
import { LegalHoldStore } from './legal-holds.ts';
import { RetentionPolicies } from './retention-policies.ts';
import { RetentionRunner, type RetentionRunnerOptions } from './retention-runner.ts';

export const OPERATOR = systemActor('operator');

/** For tests: a store with points, a registry, and retention over both. */
export class RetentionHarness implements AsyncDisposable {
  readonly log = new FakeLog(1);
  readonly store = new StoreHarness(this.log);
  readonly policies: RetentionPolicies;
  readonly holds: LegalHoldStore;
  readonly registry: TestRegistry;
  readonly #options: Partial<RetentionRunnerOptions>;
  runner!: RetentionRunner;

  private constructor(registry: TestRegistry, options: Partial<RetentionRunnerOptions>) {
    this.registry = registry;
    this.#options = options;
    const { database } = registry;
    this.policies = new RetentionPolicies({ database, clock: this.store.clock });
    this.holds = new LegalHoldStore({ database, clock: this.store.clock });
  }

  static async open(options: Partial<RetentionRunnerOptions> = {}): Promise<RetentionHarness> {
    const harness = new RetentionHarness(await openTestRegistry(), options);
    await harness.store.open();
    harness.store.consume();
    harness.openRunner();
    return harness;
  }

  openRunner(options: Partial<RetentionRunnerOptions> = {}): void {
    this.runner = new RetentionRunner({
      telemetryDir: this.store.dir,
      registry: this.registry.database,
      store: this.caller,
      clock: this.store.clock,
      logLines: silentLogLines,
      freeBytes: () => Number.MAX_SAFE_INTEGER,
      ...this.#options,
      ...options,
    });
  }

  /** The store is killed, and all is started again from what it left on disk. */
  async crash(): Promise<void> {
    await this.runner[Symbol.asyncDispose]();
    await this.store.crash();
    this.store.consume();
    this.openRunner();
  }

  /** The store of now: a crash makes another. */
  get caller(): Caller<UpkeepStoreCalls> {
    return localCaller<UpkeepStoreCalls>({
      forget: ({ device }) => this.store.writer.forget(device, [this.log.end(0)]),
      flush: () => Promise.resolve({ done: true }),
      storeFiles: (query) => this.store.writer.upkeep.calls.storeFiles(query),
      dropDay: (query) => this.store.writer.upkeep.calls.dropDay(query),
      replaceDay: (query) => this.store.writer.upkeep.calls.replaceDay(query),
      dropRollups: (query) => this.store.writer.upkeep.calls.dropRollups(query),
      deleteRollups: (query) => this.store.writer.upkeep.calls.deleteRollups(query),
      shrinkRollups: (query) => this.store.writer.upkeep.calls.shrinkRollups(query),
    });
  }

  get today(): number {
    return Math.floor(this.store.clock.now() / DAY_MS);
  }

  async device(id: string, placed: { readonly type?: string; readonly group?: string } = {}): Promise<void> {
    const { types, devices } = this.registry;
    if (placed.type !== undefined && (await types.find(placed.type)) === undefined)
      await types.create({ name: placed.type }, OPERATOR);
    await devices.create({ id: parseDeviceId(id), group: '/', ...placed }, OPERATOR);
  }

  /** Points of a device, as many a day as said, at different times of the day. */
  append(device: string, day: number, metrics: Readonly<Record<string, number>>, points = 1): void {
    const records = Array.from({ length: points }, (_, index) => {
      const ts = day * DAY_MS + Math.floor((index * DAY_MS) / points);
      const values = Object.fromEntries(
        Object.entries(metrics).map(([metric, value]) => [metric, value + Math.sin(index) * 1e-3]),
      );
      return [device, { ts, values }] as const;
    });
    this.log.append(0, this.store.clock.now(), records);
  }

  /** All that was appended is in day files, durably, and of days that are over in the rollups. */
  settle(): void {
    const { store } = this;
    store.consume();
    store.seal();
    store.saveLowWater();
    this.rollUp();
    store.saveLowWater();
  }

  rollUp(): void {
    const { writer, clock } = this.store;
    for (let round = 0; round < 200; round++) {
      if (writer.unrolled.all.every((day) => day >= this.today)) return;
      clock.advance(70_000);
      while (writer.rollups.step());
    }
    throw new Error('days were not rolled up');
  }

  /** Days of `days`, and the files of rollups. */
  get files(): readonly string[] {
    return ['days', 'rollups/hourly', 'rollups/daily']
      .flatMap((folder) => {
        const path = join(this.store.dir, folder);
        return existsSync(path) ? readdirSync(path).map((name) => `${folder}/${name}`) : [];
      })
      .filter((name) => name.endsWith('.db'))
      .sort();
  }

  /** Bytes of all files of telemetry. */
  get bytes(): number {
    const sizes = (folder: string): number =>
      readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
        const path = join(folder, entry.name);
        return sum + (entry.isDirectory() ? sizes(path) : statSync(path).size);
      }, 0);
    return sizes(this.store.dir);
  }

  /** `device metric`, with the days that have raw points of it. */
  get stored(): Record<string, number[]> {
    const found: Record<string, number[]> = {};
    for (const [device, metrics] of Object.entries(this.store.stored())) {
      for (const [metric, points] of Object.entries(metrics)) {
        found[`${device} ${metric}`] = [...new Set(points.map(([timeMs]) => Math.floor(timeMs / DAY_MS) - this.today))];
      }
    }
    return found;
  }

  /** How many points the rollups of hours have, of all series. */
  rolledUp(): number {
    using reader = new RollupReader({ telemetryDir: this.store.dir });
    const nowMs = this.store.clock.now();
    return [...this.store.writer.devices.all()]
      .flatMap(({ series }) => series)
      .reduce((sum, series) => sum + reader.read('1h', series, nowMs - 150 * DAY_MS, nowMs).counts.reduce((a, b) => a + b, 0), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runner[Symbol.asyncDispose]();
    this.store[Symbol.dispose]();
    await this.registry[Symbol.asyncDispose]();
  }
}
