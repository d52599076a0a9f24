import type { Kysely } from 'kysely';
import { PreparedRows } from '../database/prepared-rows.ts';
import { PreparedStatement } from '../database/prepared-statement.ts';
import type { StateDatabase, StateSchema } from '../database/schema.ts';
import type { JobCountTable, JobExecutionEventTable, JobTimerTable } from '../database/tables/job-tables.ts';
import { chunksOf } from '../registry/statement-chunks.ts';
import { EXECUTION_COLUMNS, executionOf, type ExecutionRow } from './execution-row.ts';
import { PENDING_CODES, type JobExecution } from './job-execution.ts';

/** The statements of executions that run with every batch: by rows of keys, prepared. */

const pendingOfDevices = bySize(0, (database, _, devices) =>
  database.selectFrom('job_execution').selectAll().where('device', 'in', devices).where('status', 'in', PENDING_CODES),
);

const ofJobOnDevices = bySize(1, (database, [job], devices) =>
  database.selectFrom('job_execution').selectAll().where('job', '=', job!).where('device', 'in', devices),
);

/** All that is pending on devices, in no order. */
export async function readPending(database: StateDatabase, devices: readonly string[]): Promise<readonly JobExecution[]> {
  return await readBy(pendingOfDevices, database, [], devices);
}

/** All executions, whatever their status, of a job on devices, in no order. */
export async function readOfJob(
  database: StateDatabase,
  job: number,
  devices: readonly string[],
): Promise<readonly JobExecution[]> {
  return await readBy(ofJobOnDevices, database, [job], devices);
}

const executionRows = new PreparedRows<StateSchema, ExecutionRow>(EXECUTION_COLUMNS, (database, rows) =>
  database.insertInto('job_execution').values([...rows]),
);

/** Those that are new. */
export async function insertExecutions(database: StateDatabase, rows: readonly ExecutionRow[]): Promise<void> {
  await executionRows.run(database, rows);
}

const CHANGING = ['status', 'version', 'started_at_ms', 'updated_at_ms', 'deadline_ms', 'step_deadline_ms', 'details'] as const;

const changedRows = new PreparedRows<StateSchema, ExecutionRow>(EXECUTION_COLUMNS, (database, rows) =>
  database
    .insertInto('job_execution')
    .values([...rows])
    .onConflict((conflict) =>
      conflict.columns(['job', 'device', 'number']).doUpdateSet((eb) => ({
        ...Object.fromEntries(CHANGING.map((column) => [column, eb.ref(`excluded.${column}`)])),
        device_removed: eb.ref('excluded.device_removed'),
      })),
    ),
);

/** Those that are there. */
export async function updateExecutions(database: StateDatabase, rows: readonly ExecutionRow[]): Promise<void> {
  await changedRows.run(database, rows);
}

const eventRows = new PreparedRows<StateSchema, JobExecutionEventTable>(
  ['job', 'device', 'number', 'version', 'at_ms', 'status', 'cause', 'details'],
  (database, rows) => database.insertInto('job_execution_event').values([...rows]),
);

export async function insertEvents(database: StateDatabase, rows: readonly JobExecutionEventTable[]): Promise<void> {
  await eventRows.run(database, rows);
}

const timerRows = new PreparedRows<StateSchema, JobTimerTable>(['job', 'device', 'number', 'due_at_ms'], (database, rows) =>
  database
    .insertInto('job_timer')
    .values([...rows])
    .onConflict((conflict) =>
      conflict.columns(['job', 'device', 'number']).doUpdateSet((eb) => ({ due_at_ms: eb.ref('excluded.due_at_ms') })),
    ),
);

export async function putTimers(database: StateDatabase, rows: readonly JobTimerTable[]): Promise<void> {
  await timerRows.run(database, rows);
}

const timersOff = bySize(1, (database, [job], devices) =>
  database.deleteFrom('job_timer').where('job', '=', job!).where('device', 'in', devices),
);

/** @param devices a device has at most one that runs, of a job. */
export async function deleteTimers(database: StateDatabase, job: number, devices: readonly string[]): Promise<void> {
  for (const chunk of chunksOf(devices)) await timersOff.get(chunk.length)?.run(database, [job, ...chunk]);
}

const hiding = new PreparedStatement<StateSchema>(2, (database, [device, atMs]) =>
  database
    .updateTable('job_execution')
    .set({ device_removed: 1 })
    .where('device', '=', device!)
    .where('queued_at_ms', '<=', atMs!)
    .where('device_removed', '=', 0),
);

/** The device was removed at a time: what was queued for it until then is not seen any more by whoever has its id. */
export async function hideExecutions(database: StateDatabase, device: string, atMs: number): Promise<void> {
  await hiding.run(database, [device, atMs]);
}

const countRows = new PreparedRows<StateSchema, JobCountTable>(['job', 'status', 'executions'], (database, rows) =>
  database
    .insertInto('job_count')
    .values([...rows])
    .onConflict((conflict) =>
      conflict
        .columns(['job', 'status'])
        .doUpdateSet((eb) => ({ executions: eb('job_count.executions', '+', eb.ref('excluded.executions')) })),
    ),
);

/** @param rows by how many more (or fewer) there are. */
export async function addToCounts(database: StateDatabase, rows: readonly JobCountTable[]): Promise<void> {
  await countRows.run(database, rows);
}

type ByDevices<Row> = ReadonlyMap<number, PreparedStatement<StateSchema, Row>>;

/** For each number of devices that `chunksOf` makes; the first `fixed` values stand before them. */
function bySize<Row>(
  fixed: number,
  build: (
    database: Kysely<StateSchema>,
    values: readonly never[],
    devices: readonly never[],
  ) => ReturnType<ConstructorParameters<typeof PreparedStatement<StateSchema, Row>>[1]>,
): ByDevices<Row> {
  return new Map(
    [1, 10, 100, 500].map((size) => [
      size,
      new PreparedStatement<StateSchema, Row>(fixed + size, (database, values) =>
        build(database, values.slice(0, fixed), values.slice(fixed)),
      ),
    ]),
  );
}

async function readBy(
  statements: ByDevices<ExecutionRow>,
  database: StateDatabase,
  fixed: readonly unknown[],
  devices: readonly string[],
): Promise<readonly JobExecution[]> {
  const found: JobExecution[] = [];
  for (const chunk of chunksOf(devices)) {
    const rows = (await statements.get(chunk.length)?.run(database, [...fixed, ...chunk])) ?? [];
    for (const row of rows) found.push(executionOf(row));
  }
  return found;
}
