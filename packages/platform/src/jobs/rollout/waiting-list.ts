import { PreparedRows } from '../../database/prepared-rows.ts';
import type { StateDatabase, StateSchema } from '../../database/schema.ts';
import type { JobWaitingTable } from '../../database/tables/job-tables.ts';
import { chunksOf } from '../../registry/statement-chunks.ts';
import { readPending } from '../execution-statements.ts';

/** A device that waits for its execution, or (`attempt` REMINDER) to be told again of the one that it has. */
export interface Waiting {
  readonly device: string;
  readonly readyAtMs: number;
  readonly attempt: number;
}

export const REMINDER = -1;
/** Later than every time: its maintenance windows never come. */
export const NEVER_MS: number = Number.MAX_SAFE_INTEGER;

const COLUMNS = ['job', 'device', 'ready_at_ms', 'attempt'] as const;

const puts = new PreparedRows<StateSchema, JobWaitingTable>(COLUMNS, (database, rows) =>
  database
    .insertInto('job_waiting')
    .values([...rows])
    .onConflict((conflict) =>
      conflict.columns(['job', 'device']).doUpdateSet((eb) => ({
        ready_at_ms: eb.ref('excluded.ready_at_ms'),
        attempt: eb.ref('excluded.attempt'),
      })),
    ),
);

/** Those of the devices that wait for an execution of the job already. */
export async function waitingAmong(
  database: StateDatabase,
  job: number,
  devices: readonly string[],
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const chunk of chunksOf(devices)) {
    const rows = await database
      .selectFrom('job_waiting')
      .select('device')
      .where('job', '=', job)
      .where('device', 'in', chunk)
      .where('attempt', '>=', 0)
      .execute();
    for (const { device } of rows) found.add(device);
  }
  return found;
}

/** Adds them, or moves those that are there. */
export async function putWaiting(database: StateDatabase, job: number, waiting: readonly Waiting[]): Promise<void> {
  await puts.run(
    database,
    waiting.map(({ device, readyAtMs, attempt }) => ({ job, device, ready_at_ms: Math.min(readyAtMs, NEVER_MS), attempt })),
  );
}

/** Whose time has come, the longest due first. */
export async function readReady(database: StateDatabase, job: number, nowMs: number, limit: number): Promise<readonly Waiting[]> {
  const rows = await database
    .selectFrom('job_waiting')
    .selectAll()
    .where('job', '=', job)
    .where('ready_at_ms', '<=', nowMs)
    .orderBy('ready_at_ms')
    .orderBy('device')
    .limit(limit)
    .execute();
  return rows.map((row) => ({ device: row.device, readyAtMs: Number(row.ready_at_ms), attempt: Number(row.attempt) }));
}

/** When the time of the next one comes; undefined: nobody waits. */
export async function nextReadyMs(database: StateDatabase, job: number): Promise<number | undefined> {
  const row = await database
    .selectFrom('job_waiting')
    .select('ready_at_ms')
    .where('job', '=', job)
    .orderBy('ready_at_ms')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : Number(row.ready_at_ms);
}

/** @returns how many of them waited for an execution. */
export async function dropWaiting(database: StateDatabase, job: number, devices: readonly string[]): Promise<number> {
  let dropped = 0;
  for (const chunk of chunksOf(devices)) {
    const rows = await database
      .deleteFrom('job_waiting')
      .where('job', '=', job)
      .where('device', 'in', chunk)
      .returning('attempt')
      .execute();
    dropped += rows.filter(({ attempt }) => Number(attempt) !== REMINDER).length;
  }
  return dropped;
}

/** @returns how many: fewer than `limit`, and there are no more. */
export async function dropSomeWaiting(database: StateDatabase, job: number, limit: number): Promise<number> {
  const rows = await database
    .selectFrom('job_waiting')
    .select('device')
    .where('job', '=', job)
    .orderBy('device')
    .limit(limit)
    .execute();
  await dropWaiting(
    database,
    job,
    rows.map(({ device }) => device),
  );
  return rows.length;
}

/** Drops what waits for devices, of whatever job. @returns of each job, how many of them waited for an execution. */
export async function dropDevices(database: StateDatabase, devices: readonly string[]): Promise<ReadonlyMap<number, number>> {
  const dropped = new Map<number, number>();
  for (const chunk of chunksOf(devices)) {
    const rows = await database.deleteFrom('job_waiting').where('device', 'in', chunk).returning(['job', 'attempt']).execute();
    for (const { job, attempt } of rows) {
      if (Number(attempt) !== REMINDER) dropped.set(Number(job), (dropped.get(Number(job)) ?? 0) + 1);
    }
  }
  return dropped;
}

/** Of each job, those of the devices that have it pending, or wait for it. */
export async function jobsOfDevices(
  database: StateDatabase,
  devices: readonly string[],
): Promise<ReadonlyMap<number, ReadonlySet<string>>> {
  const found = new Map<number, Set<string>>();
  const note = ({ job, device }: { readonly job: number; readonly device: string }): void => {
    const known = found.get(Number(job));
    if (known === undefined) found.set(Number(job), new Set([device]));
    else known.add(device);
  };
  for (const execution of await readPending(database, devices)) note(execution);
  for (const chunk of chunksOf(devices)) {
    const rows = await database.selectFrom('job_waiting').select(['job', 'device']).where('device', 'in', chunk).execute();
    for (const row of rows) note(row);
  }
  return found;
}

/**
 * When the windows of devices open is to be worked out anew, as they may be in another time zone now.
 *
 * @returns the jobs that they wait for.
 */
export async function reconsiderDevices(database: StateDatabase, devices: readonly string[]): Promise<ReadonlySet<number>> {
  const jobs = new Set<number>();
  for (const chunk of chunksOf(devices)) {
    const rows = await database
      .updateTable('job_waiting')
      .set({ ready_at_ms: 0 })
      .where('device', 'in', chunk)
      .where('attempt', '>=', 0)
      .where('ready_at_ms', '>', 0)
      .returning('job')
      .execute();
    for (const { job } of rows) jobs.add(Number(job));
  }
  return jobs;
}

/** Whether anything waits. */
export async function anyWaiting(database: StateDatabase, job: number): Promise<boolean> {
  return (await nextReadyMs(database, job)) !== undefined;
}
