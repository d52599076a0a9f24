import type { JobCountTable, JobExecutionEventTable } from '../database/tables/job-tables.ts';
import type { Batch } from '../state/batch.ts';
import { detailsText, rowOf } from './execution-row.ts';
import {
  addToCounts,
  deleteTimers,
  insertEvents,
  insertExecutions,
  putTimers,
  updateExecutions,
} from './execution-statements.ts';
import { codeOf, dueAtMs, type ChangeCause, type JobExecution } from './job-execution.ts';

/** One change of one execution. */
export interface ChangedExecution {
  /** Undefined: it is new. */
  readonly before: JobExecution | undefined;
  readonly after: JobExecution;
  /** Undefined: it is new, or its step timer was set. */
  readonly cause: ChangeCause | undefined;
  /** Of a new one: that which was the latest of the job on the device before. */
  readonly replaced: JobExecution | undefined;
}

/** Newest changes that are kept of an execution. */
export const HISTORY_LENGTH = 100;

/** Writes changes, in the order in which they happened: executions, their history, timers and counts. */
export async function writeExecutions(changed: readonly ChangedExecution[], batch: Batch): Promise<void> {
  const { transaction } = batch;
  const executions = new Map<string, { readonly first: ChangedExecution; last: JobExecution }>();
  for (const change of changed) {
    const { job, device, number } = change.after;
    const key = `${job} ${number} ${device}`;
    const known = executions.get(key);
    if (known === undefined) executions.set(key, { first: change, last: change.after });
    else known.last = change.after;
  }
  const all = [...executions.values()];
  await insertExecutions(
    transaction,
    all.filter(({ first }) => first.before === undefined).map(({ last }) => rowOf(last)),
  );
  await updateExecutions(
    transaction,
    all.filter(({ first }) => first.before !== undefined).map(({ last }) => rowOf(last)),
  );
  await writeHistory(changed, batch);
  await writeTimers(
    all.map(({ first, last }) => ({ before: first.before, after: last })),
    batch,
  );
  await addToCounts(transaction, countChanges(changed));
}

async function writeHistory(changed: readonly ChangedExecution[], { transaction }: Batch): Promise<void> {
  const events: JobExecutionEventTable[] = [];
  for (const { after, cause } of changed) {
    if (cause === undefined) continue;
    const { job, device, number, version } = after;
    events.push({
      job,
      device,
      number,
      version,
      at_ms: after.updatedAtMs,
      status: codeOf(after.status),
      cause,
      details: detailsText(after.details),
    });
    if (version > HISTORY_LENGTH + 1) {
      await transaction
        .deleteFrom('job_execution_event')
        .where('job', '=', job)
        .where('device', '=', device)
        .where('number', '=', number)
        .where('version', '<=', version - HISTORY_LENGTH)
        .execute();
    }
  }
  await insertEvents(transaction, events);
}

async function writeTimers(
  changed: readonly { readonly before: JobExecution | undefined; readonly after: JobExecution }[],
  { transaction }: Batch,
): Promise<void> {
  const rows = [];
  const off = new Map<number, string[]>();
  for (const { before, after } of changed) {
    const { job, device, number } = after;
    const due = dueAtMs(after);
    const dueBefore = before === undefined ? undefined : dueAtMs(before);
    if (due === dueBefore) continue;
    if (due !== undefined) rows.push({ job, device, number, due_at_ms: due });
    else append(off, job, device);
  }
  await putTimers(transaction, rows);
  for (const [job, devices] of off) await deleteTimers(transaction, job, devices);
}

/** How many more (or fewer) devices there are with a status, by job. */
function countChanges(changed: readonly ChangedExecution[]): readonly JobCountTable[] {
  const counts = new Map<number, Map<number, number>>();
  const count = ({ job, status }: JobExecution, by: number): void => {
    const ofJob = counts.get(job) ?? new Map<number, number>();
    counts.set(job, ofJob);
    ofJob.set(codeOf(status), (ofJob.get(codeOf(status)) ?? 0) + by);
  };
  for (const { before, after, replaced } of changed) {
    if (before?.status === after.status) continue;
    const was = before ?? replaced;
    if (was !== undefined) count(was, -1);
    count(after, 1);
  }
  return [...counts].flatMap(([job, ofJob]) =>
    [...ofJob].filter(([, by]) => by !== 0).map(([status, executions]) => ({ job, status, executions })),
  );
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
