import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ServedProcess } from '../columnar/served-process.ts';
import { isSelsynError, SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { FairQueue } from './fair-queue.ts';
import { closeResult, QueryTurn, readResult, type TurnParts, type TurnResult } from './query-turn.ts';
import { readingAdvice } from './reading-advice.ts';
import type { SqlCalls, SqlPlan } from './sql-calls.ts';
import { HEAP_MB, maxResidentBytes } from './sql-limits.ts';
import type { SqlAnswer, SqlQueries, SqlRequest } from './sql-query.ts';

const MAX_WAITING = 32;
const TIDY_DEADLINE_MS = 2_000;
/** On a machine that is busy with devices a process takes its time to start: not that of the query. */
const START_DEADLINE_MS = 60_000;

export interface SqlServiceOptions extends Omit<TurnParts, 'process'> {
  /** Queries that run at one time, each in a process of its own. */
  readonly concurrency: number;
  readonly threads: number;
  readonly telemetryDir: string;
  /** A folder of its own: what was there is removed. */
  readonly scratchDir: string;
  /** Where the archive and its local copies are. */
  readonly archiveDirs: readonly string[];
  readonly logLines: LogLines;
}

interface Slot {
  readonly process: ServedProcess<SqlCalls>;
  readonly scratchDir: string;
}

/**
 * Runs SQL in processes of their own: what a query does to its process happens to nobody else.
 *
 * The order makes an answer exact: first what is in memory, then the day files are opened, then the archive is asked. A
 * point goes from the first to the second and from there to the third, and leaves none before it is in the next.
 */
export class SqlService implements SqlQueries, AsyncDisposable {
  readonly #options: SqlServiceOptions;
  readonly #queue: FairQueue;
  readonly #slots: readonly Slot[];
  #results = 0;

  constructor(options: SqlServiceOptions) {
    this.#options = options;
    this.#queue = new FairQueue({ slots: options.concurrency, maxWaiting: MAX_WAITING });
    this.#slots = Array.from({ length: options.concurrency }, (_, slot) => newSlot(options, slot));
  }

  /** Of the processes that run. */
  get pids(): readonly number[] {
    return this.#slots.map(({ process }) => process.pid).filter((pid) => pid !== undefined);
  }

  start(): void {
    rmSync(this.#options.scratchDir, { recursive: true, force: true });
    mkdirSync(this.#options.scratchDir, { recursive: true });
  }

  async run(request: SqlRequest, signal?: AbortSignal): Promise<SqlAnswer> {
    const { clock, limits } = this.#options;
    const askedMs = clock.monotonicMs();
    const number = await this.#queue.enter(request.caller, signal);
    const { process, scratchDir } = this.#slots[number]!;
    const deadlineMs = Math.min(request.deadlineMs ?? Infinity, limits.deadlineMs);
    const path = join(scratchDir, `result-${++this.#results}`);
    let turn: QueryTurn | undefined;
    try {
      await started(process, signal);
      const startMs = clock.monotonicMs();
      turn = new QueryTurn({ ...this.#options, process }, request, { deadlineMs, signal });
      const result = await turn.run(path);
      return answerOf(request, result, Math.round(startMs - askedMs), Math.round(clock.monotonicMs() - startMs));
    } catch (error) {
      throw toldToUser(error, deadlineMs, turn?.plan);
    } finally {
      await this.#tidy(process);
      // Of a query that failed: an answer has no name any more.
      rmSync(path, { force: true });
      this.#queue.leave(request.caller, number);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#slots.map(async ({ process }) => await process[Symbol.asyncDispose]()));
  }

  /** What a query took is given back; a process that keeps much of it makes room for a new one. */
  async #tidy(process: ServedProcess<SqlCalls>): Promise<void> {
    if (process.generation === undefined) return;
    try {
      await process.call('end', null, { deadlineMs: TIDY_DEADLINE_MS });
      if (process.residentBytes > maxResidentBytes(this.#options.limits) / 2) await process.restart();
    } catch (error) {
      this.#options.logLines.debug({ err: error }, 'A process of SQL was ended after a query');
    }
  }
}

/** One that died while it had nothing to do may not have been noticed yet. */
async function started(process: ServedProcess<SqlCalls>, signal: AbortSignal | undefined): Promise<void> {
  const ask = async (): Promise<void> => await process.call('end', null, { deadlineMs: START_DEADLINE_MS, signal });
  try {
    await ask();
  } catch (error) {
    if (!isSelsynError(error, 'columnar.gone') || signal?.aborted === true) throw error;
    await ask();
  }
}

function newSlot(options: SqlServiceOptions, slot: number): Slot {
  const { limits, telemetryDir, archiveDirs, threads, clock, logLines } = options;
  const scratchDir = join(options.scratchDir, `process-${slot}`);
  const process = new ServedProcess<SqlCalls>({
    name: 'SQL',
    script: new URL('./sql-process.ts', import.meta.url),
    start: { telemetryDir, scratchDir, archiveDirs, threads },
    maxResidentBytes: maxResidentBytes(limits),
    callDeadlineMs: limits.deadlineMs,
    heapMb: HEAP_MB,
    clock,
    logLines,
  });
  return { process, scratchDir };
}

function answerOf({ format }: SqlRequest, result: TurnResult, waitedMs: number, elapsedMs: number): SqlAnswer {
  const { columns, rows, limited, bytes, file } = result;
  return {
    format,
    columns,
    rows,
    limited,
    bytes,
    statistics: { ...result.statistics, waitedMs, elapsedMs },
    read: () => readResult(file, bytes),
    [Symbol.dispose]: () => closeResult(file),
  };
}

/** What the process could not stand is a fault of the query. */
function toldToUser(error: unknown, deadlineMs: number, plan: SqlPlan | undefined): unknown {
  if (!isSelsynError(error, 'columnar.over-limit')) return error;
  const message =
    error.details['limit'] === 'time'
      ? `the query took longer than ${Math.round(deadlineMs / 100) / 10} s, and was ended`
      : 'the query took more memory than it may, and was ended';
  const advice = plan === undefined ? '' : readingAdvice(plan);
  return new SelsynError('sql.over-limit', advice === '' ? message : `${message}: ${advice}`, {
    cause: error,
    details: error.details,
  });
}
