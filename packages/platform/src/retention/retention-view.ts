import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import type { Database } from '../database/schema.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { ROOT_GROUP } from '../registry/group-path.ts';
import { holdsInForce, type HoldInForce } from '../registry/held-devices.ts';
import { lastRegistryChange } from '../registry/registry-stream.ts';
import { sizeOfDatabase, sizeOfLog } from '../telemetry/unlinked-file.ts';
import type { StoreFiles } from '../telemetry/upkeep-calls.ts';
import type { ArchiveGate } from './archive-gate.ts';
import { readShares } from './file-shares.ts';
import { isOver, needsShares, type PlanInput, type RetainedFile } from './planner.ts';
import { PolicyOrder } from './policy-order.ts';
import { readPolicies } from './retention-policies.ts';
import type { RetentionPolicy } from './retention-policy.ts';
import { nextSeries, readSeriesClasses, type SeriesClass, type SeriesClasses } from './series-classes.ts';
import { readFileVersion, type FileVersion } from './survivor-copy.ts';

/** Files whose shares are remembered. */
const MAX_SHARES = 5_000;

export interface RetentionViewParts {
  readonly telemetryDir: string;
  readonly registry: Database;
  /** Undefined: there is no archive to wait for. */
  readonly archive: ArchiveGate | undefined;
  readonly logLines: LogLines;
}

/** What holds now: policies, holds, and the class of every series. */
export interface RetentionRules {
  readonly order: PolicyOrder;
  readonly holds: readonly HoldInForce[];
  readonly heldDevices: ReadonlySet<string>;
  /** Undefined where every series has the same rules. */
  readonly classes: SeriesClasses | undefined;
  /** Two rules of the same key are the same. */
  readonly key: string;
}

/** A file with what it takes to drop it. */
export interface ViewedFile extends RetainedFile {
  readonly path: string;
  readonly generation: number;
  readonly version: number;
}

/** Gathers what a plan is made of. What cost time to find out is remembered as long as it holds. */
export class RetentionView {
  readonly #parts: RetentionViewParts;
  readonly #shares = new Map<string, ReadonlyMap<SeriesClass, number>>();
  #rules: RetentionRules | undefined;

  constructor(parts: RetentionViewParts) {
    this.#parts = parts;
  }

  /** @param policies instead of those that are stored: for a look at what they would do */
  async rules(policies?: readonly RetentionPolicy[]): Promise<RetentionRules> {
    const { registry, telemetryDir } = this.#parts;
    const used = policies ?? (await readPolicies(registry));
    const holds = await holdsInForce(registry);
    const left = holds.length === 0 ? [] : await heldThatLeft(registry);
    const change = await lastRegistryChange(registry);
    // Short, for each file that is remembered has it: devices that have left what is held may be hundreds of thousands.
    const key = digestOf([used, holds, left, change, nextSeries(telemetryDir)]);
    const order = new PolicyOrder(used);
    // The class of what nothing is known of; there is always one.
    order.classOf({ deviceType: undefined, group: ROOT_GROUP, metric: '' });
    const heldDevices = new Set(left);
    const same = order.isUniform && holds.length === 0;
    if (same) return { order, holds, heldDevices, classes: undefined, key };
    if (this.#rules?.key === key) return this.#rules;
    const classes = await readSeriesClasses({ telemetryDir, registry, order, holds, heldDevices });
    const rules = { order, holds, heldDevices, classes, key };
    if (policies === undefined) {
      this.#rules = rules;
      this.#shares.clear();
    }
    return rules;
  }

  inputOf(rules: RetentionRules, nowMs: number): PlanInput {
    return { nowMs, classes: rules.order.classes, uniform: rules.classes === undefined };
  }

  /**
   * The files of the store, with what of each is of which class as far as it matters now. One of which that cannot be found out stays,
   * and keeps no other from going.
   */
  async files(stored: StoreFiles, rules: RetentionRules, input: PlanInput, signal: AbortSignal): Promise<readonly ViewedFile[]> {
    const { archive } = this.#parts;
    const found: ViewedFile[] = [];
    for (const { day, path, keptBecause } of stored.days) {
      const file = { level: 'raw', fromDay: day, toDay: day + 1, path } as const;
      const viewed = await this.#view(file, rules, input, signal);
      if (viewed === undefined) continue;
      const { generation, version } = viewed;
      const due = input.classes.some((kept) => isOver(day + 1, kept.raw, input.nowMs));
      const asks = due && (keptBecause ?? viewed.keptBecause) === undefined && archive !== undefined;
      const waits = asks && !(await this.#isArchived(archive, { day, generation, version }, signal));
      found.push({ ...viewed, keptBecause: keptBecause ?? viewed.keptBecause ?? (waits ? 'not-archived' : undefined) });
    }
    for (const { level, fromDay, toDay, path } of stored.rollups) {
      const file = { level: level === '1h' ? 'hourly' : 'daily', fromDay, toDay, path } as const;
      const viewed = await this.#view(file, rules, input, signal);
      if (viewed !== undefined) found.push(viewed);
    }
    return found;
  }

  async #view(
    file: Pick<ViewedFile, 'level' | 'fromDay' | 'toDay' | 'path'>,
    rules: RetentionRules,
    input: PlanInput,
    signal: AbortSignal,
  ): Promise<ViewedFile | undefined> {
    const { path, level } = file;
    const state = this.#stateOf(path);
    if (state === undefined) return undefined;
    const name = join(...(level === 'raw' ? [basename(dirname(path)), basename(path)] : ['rollups', level, basename(path)]));
    const viewed = { ...file, ...state, file: name, sizeBytes: sizeOfDatabase(path), looseBytes: sizeOfLog(path) };
    if (!needsShares(viewed, input)) return viewed;
    try {
      return { ...viewed, shares: await this.sharesOf(viewed, rules, signal) };
    } catch (error) {
      if (signal.aborted) throw error;
      this.#parts.logLines.error({ file: name, err: error }, 'Retention cannot find out what is in a file, and leaves it alone');
      return { ...viewed, keptBecause: 'failed' };
    }
  }

  async #isArchived(gate: ArchiveGate, file: Parameters<ArchiveGate['isArchived']>[0], signal: AbortSignal): Promise<boolean> {
    try {
      return await gate.isArchived(file);
    } catch (error) {
      if (signal.aborted) throw error;
      this.#parts.logLines.error(
        { day: file.day, err: error },
        'Retention cannot find out whether a day is archived, and leaves it alone',
      );
      return false;
    }
  }

  /** How much of a file is of which class. */
  async sharesOf(
    { path, level, version, sizeBytes }: Pick<ViewedFile, 'path' | 'level' | 'version' | 'sizeBytes'>,
    { classes, key: rules }: RetentionRules,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<SeriesClass, number>> {
    if (classes === undefined) return new Map([[0, sizeBytes]]);
    const key = `${path}\0${version}\0${rules}`;
    let shares = this.#shares.get(key);
    if (shares === undefined) {
      shares = await readShares(path, level, classes, signal);
      if (this.#shares.size >= MAX_SHARES) this.#shares.clear();
      this.#shares.set(key, shares);
    }
    return shares;
  }

  /** A file that cannot be read is left alone: its writer sets it aside. */
  #stateOf(path: string): FileVersion | undefined {
    try {
      return readFileVersion(path);
    } catch (error) {
      this.#parts.logLines.warn({ path, err: error }, 'Retention cannot read a file, and leaves it alone');
      return undefined;
    }
  }
}

function digestOf(facts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(facts)).digest('base64');
}

/** Devices that have left what a hold in force is on. */
export async function heldThatLeft(registry: Database): Promise<readonly string[]> {
  const rows = await registry
    .selectFrom('legal_hold_device')
    .innerJoin('legal_hold', 'legal_hold.id', 'legal_hold_device.hold_id')
    .select('device_id')
    .distinct()
    .where('released_at_ms', 'is', null)
    .orderBy('device_id')
    .execute();
  return rows.map(({ device_id: id }) => id);
}
