import { closeSync, createReadStream, openSync, unlinkSync } from 'node:fs';
import type { ArchiveIndex } from '../archive/archive-index.ts';
import type { ServedProcess } from '../columnar/served-process.ts';
import type { Clock } from '../kernel/clock.ts';
import { isSelsynError, SelsynError } from '../kernel/errors.ts';
import type { ThreadCaller } from '../kernel/thread-channel.ts';
import { MAX_TIME_MS } from '../kernel/time-text.ts';
import { isEverything } from '../registry/scope.ts';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import type { HotCalls, HotScanQuery } from '../telemetry/hot-calls.ts';
import { archiveOf, TooMuchArchive, type QueryArchive } from './archive-files.ts';
import { readingAdvice, tooManyPoints } from './reading-advice.ts';
import { deviceRows, seenDevices, type RegistryDevices } from './registry-rows.ts';
import type { SqlCalls, SqlPlan, SqlResult } from './sql-calls.ts';
import type { SqlLimits } from './sql-limits.ts';
import type { SqlRequest, SqlStatistics } from './sql-query.ts';

/** Devices whose points in memory are asked for by name; beyond, those of all are read, and passed over in the process. */
const MAX_HOT_DEVICES = 20_000;

export interface TurnParts {
  readonly process: ServedProcess<SqlCalls>;
  readonly limits: SqlLimits;
  readonly hot: Pick<ThreadCaller<HotCalls>, 'call'>;
  readonly registry: RegistryDevices;
  readonly archive: ArchiveIndex;
  readonly clock: Clock;
}

export interface TurnResult extends SqlResult {
  readonly statistics: Omit<SqlStatistics, 'waitedMs' | 'elapsedMs'>;
  /** An open file that has no name any more. */
  readonly file: number;
}

/** One query in a process that is its own for the time: brings there what it needs, in the order that makes it exact. */
export class QueryTurn {
  readonly #parts: TurnParts;
  readonly #request: SqlRequest;
  readonly #endMs: number;
  readonly #signal: AbortSignal | undefined;
  /** What it reads, once that is known. */
  plan: SqlPlan | undefined;

  constructor(
    parts: TurnParts,
    request: SqlRequest,
    options: { readonly deadlineMs: number; readonly signal: AbortSignal | undefined },
  ) {
    this.#parts = parts;
    this.#request = request;
    this.#endMs = parts.clock.monotonicMs() + options.deadlineMs;
    this.#signal = options.signal;
  }

  /** @param path where the process may write the answer */
  async run(path: string): Promise<TurnResult> {
    const { limits, registry, archive } = this.#parts;
    const { scope, format, maxRows } = this.#request;
    const plan = await this.#plan();
    this.plan = plan;
    const only = !isEverything(scope);
    let seen: string[] | undefined = only ? [] : undefined;
    // Also where nothing is seen: then nothing is.
    await this.#call('addSeen', { devices: [], only });
    for await (const devices of seenDevices(registry, plan, scope)) {
      await this.#call('addSeen', { devices, only });
      seen = seen && seen.length <= MAX_HOT_DEVICES ? [...seen, ...devices.map(([id]) => id)] : undefined;
    }
    await this.#bringHot(plan, seen);
    await this.#call('openFiles', { archived: archive.inUse });
    using archived = await this.#archived(plan);
    const result = await this.#call('run', {
      format,
      path,
      maxRows: Math.min(maxRows ?? Infinity, limits.maxRows),
      refuseMore: maxRows === undefined || maxRows > limits.maxRows,
      maxBytes: limits.maxResultBytes,
      maxPoints: limits.maxPoints,
      archive: { hours: archived.hours, files: archived.files },
    });
    const file = openSync(path, 'r');
    unlinkSync(path);
    const { hotPoints, storedPoints, rollupRows, archivedHours } = result;
    return {
      ...result,
      file,
      statistics: {
        ...asked(plan),
        hotPoints,
        storedPoints,
        rollupRows,
        archivedHours,
        archiveFiles: archived.files.length,
        archiveRows: archived.rows,
        archiveBytes: archived.bytes,
      },
    };
  }

  /** The plan, with the devices brought that it needs. */
  async #plan(): Promise<SqlPlan> {
    const plan = await this.#planned();
    if (plan.devices === undefined || allParts(plan).length === 0) return plan;
    return (await this.#call('narrow', null)) ?? (await this.#planned());
  }

  /** @throws SelsynError `sql.over-limit` before anything is fetched */
  async #archived(plan: SqlPlan): Promise<QueryArchive> {
    const { archive, limits } = this.#parts;
    try {
      return await archiveOf(archive, plan.telemetry, { maxRows: limits.maxPoints, signal: this.#signal });
    } catch (error) {
      if (error instanceof TooMuchArchive) throw tooManyPoints(limits.maxPoints, plan);
      if (!isSelsynError(error, 'archive.cache-full')) throw error;
      const message = 'the query reads more of the archive than its local cache takes at once';
      throw new SelsynError('sql.over-limit', `${message}: ${readingAdvice(plan)}`, {
        cause: error,
        details: { limit: 'archive' },
      });
    }
  }

  async #planned(): Promise<SqlPlan> {
    const { limits, registry } = this.#parts;
    const { sql, scope, deviceScope } = this.#request;
    const plan = await this.#call('plan', { sql, memoryBytes: limits.memoryBytes });
    for await (const rows of deviceRows(registry, plan, deviceScope ?? scope)) await this.#call('addDevices', rows);
    return plan;
  }

  /** @param seen the devices that may be seen; undefined: all, or too many to name */
  async #bringHot(plan: SqlPlan, seen: readonly string[] | undefined): Promise<void> {
    const parts = allParts(plan);
    if (parts.length === 0) return;
    const named = parts.every(({ devices }) => devices !== undefined)
      ? [...new Set(parts.flatMap(({ devices }) => [...devices!]))]
      : undefined;
    const metrics = parts.every((part) => part.metrics !== undefined)
      ? [...new Set(parts.flatMap((part) => [...part.metrics!]))]
      : undefined;
    const devices = named ?? seen;
    // Rollups may need the points of a whole day for one that begins in the time.
    const wholeDays = plan.hours.length > 0 || plan.days.length > 0;
    const query: Omit<HotScanQuery, 'scan'> = {
      devices: devices !== undefined && devices.length <= MAX_HOT_DEVICES ? devices : undefined,
      metrics,
      fromMs: Math.max(-MAX_TIME_MS, Math.min(...parts.map(({ fromMs }) => fromMs)) - (wholeDays ? DAY_MS : 0)),
      toMs: Math.min(MAX_TIME_MS, Math.max(...parts.map(({ toMs }) => toMs)) + (wholeDays ? DAY_MS : 0)),
    };
    let scan: number | undefined;
    do {
      this.#left();
      const page = await this.#parts.hot.call('hotScan', { ...query, scan });
      await this.#call('addHot', page);
      scan = page.scan;
    } while (scan !== undefined);
  }

  async #call<K extends keyof SqlCalls>(
    call: K,
    argument: Parameters<SqlCalls[K]>[0],
  ): Promise<Awaited<ReturnType<SqlCalls[K]>>> {
    return await this.#parts.process.call(call, argument, { deadlineMs: this.#left(), signal: this.#signal });
  }

  /** ms until the end. @throws SelsynError `sql.over-limit` */
  #left(): number {
    this.#signal?.throwIfAborted();
    const left = this.#endMs - this.#parts.clock.monotonicMs();
    if (left > 0) return left;
    throw new SelsynError('columnar.over-limit', 'the time is over', { details: { limit: 'time' } });
  }
}

/** Reads an answer; the file is closed by whoever opened it. */
export async function* readResult(file: number, bytes: number): AsyncGenerator<Uint8Array> {
  if (bytes === 0) return;
  yield* createReadStream('', { fd: file, autoClose: false, start: 0, end: bytes - 1, highWaterMark: 256 * 1024 });
}

export function closeResult(file: number): void {
  closeSync(file);
}

function allParts({ telemetry, hours, days }: SqlPlan): SqlPlan['telemetry'] {
  return [...telemetry, ...hours, ...days];
}

/** What a query asks for, as far as it says it. */
function asked(plan: SqlPlan): Pick<SqlStatistics, 'fromMs' | 'toMs' | 'devices'> {
  const parts = allParts(plan);
  if (parts.length === 0) return {};
  const fromMs = Math.min(...parts.map((part) => part.fromMs));
  const toMs = Math.max(...parts.map((part) => part.toMs));
  const devices = parts.every((part) => part.devices !== undefined)
    ? new Set(parts.flatMap((part) => [...part.devices!])).size
    : undefined;
  return {
    ...(Number.isFinite(fromMs) ? { fromMs } : {}),
    ...(Number.isFinite(toMs) ? { toMs } : {}),
    ...(devices === undefined ? {} : { devices }),
  };
}
