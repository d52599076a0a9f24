import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type OpenDatabase, openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { type DiskLog, openDiskLog } from '../log/drivers/disk/disk-log.ts';
import { newDiskLogShared } from '../log/drivers/disk/shared-positions.ts';
import { source, TestWriter } from '../log/log.contract.ts';
import type { PartitionId } from '../log/log.ts';
import { NO_FACTS } from '../payloads/device-facts.ts';
import type { Delivery, DeliveryTarget, OutgoingRecord } from './delivery.ts';
import { DEFAULT_BATCH, type Forwarder, type ForwarderEvent, type OpenForwarder } from './forwarder.ts';
import { Forwarding } from './forwarding.ts';
import { PlaceStore } from './place-store.ts';
import { DecodedSamples } from './samples.ts';

/** A target that takes what the test lets it take. */
export class FakeTarget implements DeliveryTarget {
  readonly records: OutgoingRecord[] = [];
  readonly deliveries: Delivery[] = [];
  closed = 0;
  /** What it throws, or waits for. */
  before: (delivery: Delivery) => Promise<void> | void = () => undefined;

  async deliver(delivery: Delivery): Promise<void> {
    this.deliveries.push(delivery);
    await this.before(delivery);
    this.records.push(...delivery.records);
  }

  texts(): string[] {
    return this.records.map(({ payload }) => Buffer.from(payload).toString());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed += 1;
  }
}

/** Nobody waits as long as he is told to. */
export const HURRIED_CLOCK: Clock = { ...systemClock, after: (delayMs, task) => systemClock.after(delayMs / 25, task) };

/** Forwarders over a real log and a real registry, and targets of the test. */
export class ForwardingFolder implements AsyncDisposable {
  readonly dir = mkdtempSync(join(tmpdir(), 'selsyn-forwarding-'));
  readonly registry: OpenDatabase = openSqliteDatabase(':memory:');
  readonly events: ForwarderEvent[] = [];
  readonly targets = new Map<string, FakeTarget>();
  log!: DiskLog;
  writers: TestWriter[] = [];
  places!: PlaceStore;
  forwarding!: Forwarding;
  clock: Clock = systemClock;

  static async open(): Promise<ForwardingFolder> {
    const folder = new ForwardingFolder();
    await migrate(folder.registry.database);
    await folder.openLog();
    return folder;
  }

  async openLog(options: { readonly partitions?: number; readonly name?: string } = {}): Promise<void> {
    const { partitions = 2, name = 'log' } = options;
    this.log = await openDiskLog({
      dir: join(this.dir, name),
      shared: newDiskLogShared(partitions),
      role: 'owner',
      clock: systemClock,
      logLines: silentLogLines,
      segmentBytes: 4096,
      retention: { maxAgeMs: 0, maxBytes: 0 },
      held: { maxAgeMs: 3_600_000, maxBytes: 1e9 },
    });
    this.writers = await Promise.all(this.log.partitions.map(async (partition) => await TestWriter.open(this.log, partition)));
  }

  async closeLog(): Promise<void> {
    await this.log[Symbol.asyncDispose]();
  }

  /** Begins to forward, as a process does that has just started. */
  async start(...forwarders: readonly OpenForwarder[]): Promise<void> {
    this.places = PlaceStore.open(join(this.dir, 'forwarding.db'));
    this.forwarding = new Forwarding({
      log: this.log,
      places: this.places,
      registry: this.registry.database,
      openTarget: ({ forwarder }) => this.target(forwarder.id),
      openSamples: () => Object.assign(new DecodedSamples(NO_FACTS), { [Symbol.dispose]: () => undefined }),
      bounds: { maxBytes: 1e9, maxAgeMs: 3_600_000 },
      publish: (event) => this.events.push(event),
      clock: this.clock,
      random: () => 0,
      logLines: silentLogLines,
    });
    await this.forwarding.start(forwarders);
  }

  async stop(): Promise<void> {
    await this.forwarding[Symbol.asyncDispose]();
    this.places[Symbol.dispose]();
  }

  target(id: string): FakeTarget {
    const known = this.targets.get(id) ?? new FakeTarget();
    this.targets.set(id, known);
    return known;
  }

  /** Appends texts of a device, durably. */
  async append(partition: number, device: string, ...texts: readonly string[]): Promise<void> {
    const writer = this.writers[partition]!;
    const from = source(device, `telemetry/${device}`);
    for (const text of texts) writer.add(from, text);
    await writer.settled();
  }

  /** Segments of three records each. */
  async fill(partition: number, records: number): Promise<void> {
    for (let n = 0; n < records; n += 1) await this.append(partition, 'a', 'x'.repeat(1200));
  }

  oldest(partition: number): Promise<number> {
    return this.log.oldest(partition as PartitionId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeLog();
    await this.registry[Symbol.asyncDispose]();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export function forwarderOf(id: string, more: Partial<Forwarder> = {}): OpenForwarder {
  const forwarder: Forwarder = {
    id,
    target: { kind: 'webhook', url: 'http://127.0.0.1/' },
    format: 'raw',
    filter: {},
    batch: { ...DEFAULT_BATCH, lingerMs: 0 },
    startAt: 'beginning',
    paused: false,
    createdAtMs: 0,
    updatedAtMs: 0,
    ...more,
  };
  return { forwarder, secrets: {} };
}

/** @throws where it does not come true in time */
export async function until(holds: () => boolean): Promise<void> {
  for (const endMs = performance.now() + 30_000; !holds(); await nextTurn())
    if (performance.now() > endMs) throw new Error('it did not happen in time');
}
