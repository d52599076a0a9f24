import { rowsOfEach } from '../database/rows-of-each.ts';
import type { StateDatabase } from '../database/schema.ts';
import { SelsynError } from '../kernel/errors.ts';
import { decodePageCursor, encodePageCursor } from '../registry/page-cursor.ts';
import { detailsOf, executionOf } from './execution-row.ts';
import {
  codeOf,
  PENDING_CODES,
  statusOf,
  STATUSES,
  type ChangeCause,
  type ExecutionKey,
  type ExecutionStatus,
  type JobExecution,
  type StatusDetails,
} from './job-execution.ts';

/** An execution with the id of its job. */
export interface ListedExecution extends JobExecution {
  readonly jobId: string;
}

export interface ExecutionPage<T> {
  readonly items: readonly T[];
  /** Of the next page; undefined: this is the last one. */
  readonly cursor?: string;
}

export interface ExecutionsOfJob {
  readonly job: number;
  readonly status?: ExecutionStatus | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** What happened to an execution. */
export interface ExecutionEvent {
  readonly version: number;
  readonly atMs: number;
  readonly status: ExecutionStatus;
  /** `queued`: with this it began. */
  readonly cause: ChangeCause | 'queued';
  readonly details: StatusDetails | undefined;
}

/** Reads executions, from whatever thread. No list scans more than it gives. */
export class ExecutionStore {
  readonly #database: StateDatabase;

  constructor(dependencies: { readonly database: StateDatabase }) {
    this.#database = dependencies.database;
  }

  /** How many devices have their latest execution of a job in each status. */
  async counts(job: number): Promise<Readonly<Record<ExecutionStatus, number>>> {
    const rows = await this.#database.selectFrom('job_count').select(['status', 'executions']).where('job', '=', job).execute();
    const found = new Map(rows.map(({ status, executions }) => [statusOf(status), Number(executions)]));
    return Object.fromEntries(STATUSES.map((status) => [status, found.get(status) ?? 0])) as Record<ExecutionStatus, number>;
  }

  /**
   * Executions of a job by device, and of a device by number.
   *
   * @throws SelsynError `request.invalid` for a cursor that no page gave.
   */
  async ofJob(query: ExecutionsOfJob): Promise<ExecutionPage<JobExecution>> {
    return (await this.ofJobs([query]))[0] ?? { items: [] };
  }

  /** Pages of many jobs, in the order of the queries: a statement for a hundred of them. @throws SelsynError as `ofJob` */
  async ofJobs(queries: readonly ExecutionsOfJob[]): Promise<readonly ExecutionPage<JobExecution>[]> {
    const rows = await rowsOfEach(this.#database, [...queries.entries()], ([place, query]) =>
      this.#rowsOfJob(query).select((eb) => eb.lit(place).as('place')),
    );
    const found = queries.map((): JobExecution[] => []);
    for (const row of rows) found[Number(row.place)]?.push(executionOf(row));
    return queries.map(({ limit }, place) => {
      const executions = (found[place] ?? []).sort((a, b) =>
        a.device < b.device ? -1 : a.device > b.device ? 1 : a.number - b.number,
      );
      return pageOf(executions, limit, ({ number, device }) => `${number} ${device}`);
    });
  }

  #rowsOfJob(query: ExecutionsOfJob) {
    let rows = this.#database
      .selectFrom('job_execution')
      .selectAll()
      .where('job', '=', query.job)
      .orderBy('device')
      .orderBy('number')
      .limit(query.limit + 1);
    if (query.status !== undefined) rows = rows.where('status', '=', codeOf(query.status));
    if (query.cursor !== undefined) {
      const [number = '', device = ''] = cursorParts(query.cursor, 2);
      rows = rows.where((eb) =>
        eb.and([eb('device', '>=', device), eb.or([eb('device', '>', device), eb('number', '>', Number(number))])]),
      );
    }
    return rows;
  }

  /**
   * Executions of all jobs on a device as it is registered now, the latest queued first.
   *
   * @throws SelsynError `request.invalid` for a cursor that no page gave.
   */
  async ofDevice(query: {
    readonly device: string;
    readonly statuses?: readonly ExecutionStatus[] | undefined;
    readonly limit: number;
    readonly cursor?: string | undefined;
  }): Promise<ExecutionPage<ListedExecution>> {
    const codes = (query.statuses ?? STATUSES).map(codeOf);
    let rows = this.#listed()
      .where('device', '=', query.device)
      .where('job_execution.status', 'in', codes)
      .where('device_removed', '=', 0)
      .orderBy('queued_at_ms', 'desc')
      .orderBy('job', 'desc')
      .orderBy('job_execution.number', 'desc')
      .limit(query.limit + 1);
    if (query.cursor !== undefined) {
      const [queuedAtMs = 0, job = 0, number = 0] = cursorParts(query.cursor, 3).map(Number);
      rows = rows.where((eb) =>
        eb.or([
          eb('queued_at_ms', '<', queuedAtMs),
          eb.and([eb('queued_at_ms', '=', queuedAtMs), eb('job', '<', job)]),
          eb.and([eb('queued_at_ms', '=', queuedAtMs), eb('job', '=', job), eb('job_execution.number', '<', number)]),
        ]),
      );
    }
    const found = (await rows.execute()).map((row) => ({ ...executionOf(row), jobId: row.job_id }));
    return pageOf(found, query.limit, ({ queuedAtMs, job, number }) => `${queuedAtMs} ${job} ${number}`);
  }

  /** The executions queued last on many devices as they are registered now, each newest first: a statement for a hundred of them. */
  async newestOf(devices: readonly string[], limit: number): Promise<ReadonlyMap<string, readonly ListedExecution[]>> {
    const rows = await rowsOfEach(this.#database, devices, (device) =>
      this.#listed()
        .where('device', '=', device)
        .where('device_removed', '=', 0)
        .orderBy('queued_at_ms', 'desc')
        .orderBy('job', 'desc')
        .orderBy('job_execution.number', 'desc')
        .limit(limit),
    );
    const found = new Map<string, ListedExecution[]>(devices.map((device) => [device, []]));
    for (const row of rows) found.get(row.device)?.push({ ...executionOf(row), jobId: row.job_id });
    for (const list of found.values()) list.sort((a, b) => b.queuedAtMs - a.queuedAtMs || b.job - a.job || b.number - a.number);
    return found;
  }

  /** What is QUEUED or IN_PROGRESS on many devices, in the order in which each is to do it; at most `limit` of a device. */
  async pendingOf(devices: readonly string[], limit: number): Promise<ReadonlyMap<string, readonly ListedExecution[]>> {
    const found = new Map<string, ListedExecution[]>(devices.map((device) => [device, []]));
    if (devices.length === 0) return found;
    const rows = await this.#listed()
      .where('device', 'in', [...found.keys()])
      .where('job_execution.status', 'in', PENDING_CODES)
      .orderBy('job_execution.status', 'desc')
      .orderBy('queued_at_ms')
      .orderBy('job')
      .execute();
    for (const row of rows) {
      const ofDevice = found.get(row.device);
      if (ofDevice !== undefined && ofDevice.length < limit) ofDevice.push({ ...executionOf(row), jobId: row.job_id });
    }
    return found;
  }

  /**
   * @param number undefined: the latest
   * @throws SelsynError `job-execution.not-found`
   */
  async get(job: number, device: string, number?: number): Promise<JobExecution> {
    let rows = this.#database
      .selectFrom('job_execution')
      .selectAll()
      .where('job', '=', job)
      .where('device', '=', device)
      .orderBy('number', 'desc')
      .limit(1);
    if (number !== undefined) rows = rows.where('number', '=', number);
    const row = await rows.executeTakeFirst();
    if (row === undefined)
      throw new SelsynError('job-execution.not-found', `the job has no such execution on the device ${device}`, {
        details: { device },
      });
    return executionOf(row);
  }

  /** What happened to an execution, oldest first; of a long one only the newest changes. */
  async history(execution: ExecutionKey & { readonly queuedAtMs: number }): Promise<readonly ExecutionEvent[]> {
    const rows = await this.#database
      .selectFrom('job_execution_event')
      .selectAll()
      .where('job', '=', execution.job)
      .where('device', '=', execution.device)
      .where('number', '=', execution.number)
      .orderBy('version')
      .execute();
    const queued: ExecutionEvent = {
      version: 1,
      atMs: execution.queuedAtMs,
      status: 'QUEUED',
      cause: 'queued',
      details: undefined,
    };
    return [
      queued,
      ...rows.map((row) => ({
        version: Number(row.version),
        atMs: Number(row.at_ms),
        status: statusOf(row.status),
        // Only causes are written there.
        cause: row.cause as ChangeCause,
        details: detailsOf(row.details),
      })),
    ];
  }

  #listed() {
    return this.#database
      .selectFrom('job_execution')
      .innerJoin('job', 'job.number', 'job_execution.job')
      .selectAll('job_execution')
      .select('job.id as job_id');
  }
}

function pageOf<T>(found: readonly T[], limit: number, placeOf: (item: T) => string): ExecutionPage<T> {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return found.length > limit && last !== undefined ? { items, cursor: encodePageCursor(placeOf(last)) } : { items };
}

/** @throws SelsynError `request.invalid` */
function cursorParts(cursor: string, count: number): readonly string[] {
  const parts = decodePageCursor(cursor).split(' ');
  if (parts.length === count && parts.every((part, index) => (count === 2 && index === 1) || /^\d{1,16}$/.test(part)))
    return parts;
  throw new SelsynError('request.invalid', 'the cursor is not one that an earlier answer gave', { details: { field: 'cursor' } });
}
