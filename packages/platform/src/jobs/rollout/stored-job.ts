import type { Compilable, Selectable } from 'kysely';
import { PreparedStatement } from '../../database/prepared-statement.ts';
import type { StateDatabase, StateSchema } from '../../database/schema.ts';
import type { JobCountTable, JobTable } from '../../database/tables/job-tables.ts';
import { SelsynError } from '../../kernel/errors.ts';
import { AFTER_SLASH } from '../../registry/group-path.ts';
import { EVERYTHING, isEverything, type Scope } from '../../registry/scope.ts';
import { chunksOf } from '../../registry/statement-chunks.ts';
import { statusOf, type ExecutionStatus } from '../job-execution.ts';
import type { JobConfig, JobStatus, TargetSelection } from './job-config.ts';
import { NO_COUNTS, type JobCounts } from './job-counts.ts';
import type { JobProgress } from './job-progress.ts';
import { parseTarget, targetText, type JobTarget } from './job-targets.ts';

/** A job, but for its document, which only devices and people need. */
export interface StoredJob {
  readonly number: number;
  readonly id: string;
  /** Only devices in it or below are meant; also who may see and change the job. */
  readonly group: string;
  readonly status: JobStatus;
  readonly selection: TargetSelection;
  readonly targets: readonly JobTarget[];
  readonly description: string | undefined;
  readonly config: JobConfig;
  readonly progress: JobProgress;
  /** When the runner does the next step; undefined: when something happens. */
  readonly nextAtMs: number | undefined;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly completedAtMs: number | undefined;
}

const COLUMNS = [
  'number',
  'id',
  'group_path',
  'status',
  'selection',
  'targets',
  'description',
  'config',
  'progress',
  'next_at_ms',
  'created_at_ms',
  'updated_at_ms',
  'completed_at_ms',
] as const;

type Row = Pick<Selectable<JobTable>, (typeof COLUMNS)[number]>;

const jobsByNumber = byNumbers((database, numbers) => database.selectFrom('job').select(COLUMNS).where('number', 'in', numbers));

export async function readJobs(database: StateDatabase, numbers: Iterable<number>): Promise<readonly StoredJob[]> {
  const jobs: StoredJob[] = [];
  for (const chunk of chunksOf([...new Set(numbers)])) {
    jobs.push(...((await jobsByNumber(chunk.length).run(database, chunk)) as readonly Row[]).map(jobOf));
  }
  return jobs;
}

export async function findJob(database: StateDatabase, id: string): Promise<StoredJob | undefined> {
  const row = await database.selectFrom('job').select(COLUMNS).where('id', '=', id).executeTakeFirst();
  return row === undefined ? undefined : jobOf(row);
}

/** Jobs that have not come to their end. */
export async function readActive(
  database: StateDatabase,
  only: { readonly selection?: TargetSelection } = {},
): Promise<readonly StoredJob[]> {
  let query = database.selectFrom('job').select(COLUMNS).where('status', 'in', ['IN_PROGRESS', 'SCHEDULED']);
  if (only.selection !== undefined) query = query.where('selection', '=', only.selection);
  return (await query.orderBy('number').execute()).map(jobOf);
}

/** Newest first; `before` is a job's number: those that are older. */
export async function listJobs(
  database: StateDatabase,
  query: {
    readonly status?: JobStatus | undefined;
    readonly scope?: Scope;
    readonly before?: number | undefined;
    readonly limit: number;
  },
): Promise<readonly StoredJob[]> {
  let jobs = database.selectFrom('job').select(COLUMNS).orderBy('number', 'desc').limit(query.limit);
  if (query.status !== undefined) jobs = jobs.where('status', '=', query.status);
  const { scope = EVERYTHING } = query;
  if (!isEverything(scope)) {
    jobs = jobs.where((eb) =>
      eb.or(
        scope.groups.map((group) =>
          eb.or([
            eb('group_path', '=', group),
            eb.and([eb('group_path', '>', `${group}/`), eb('group_path', '<', group + AFTER_SLASH)]),
          ]),
        ),
      ),
    );
  }
  if (query.before !== undefined) jobs = jobs.where('number', '<', query.before);
  return (await jobs.execute()).map(jobOf);
}

export async function readDocument(database: StateDatabase, number: number): Promise<string | undefined> {
  return (await database.selectFrom('job').select('document').where('number', '=', number).executeTakeFirst())?.document;
}

/** Of those of the jobs that there are. */
export async function readDocuments(database: StateDatabase, numbers: Iterable<number>): Promise<ReadonlyMap<number, string>> {
  const documents = new Map<number, string>();
  for (const chunk of chunksOf([...new Set(numbers)])) {
    const rows = await database.selectFrom('job').select(['number', 'document']).where('number', 'in', chunk).execute();
    for (const { number, document } of rows) documents.set(Number(number), document);
  }
  return documents;
}

/** @returns its number. */
export async function insertJob(database: StateDatabase, job: Omit<StoredJob, 'number'>, document: string): Promise<number> {
  const timeout = job.config.timeout?.inProgressMinutes;
  const row = await database
    .insertInto('job')
    .values({
      id: job.id,
      selection: job.selection,
      document,
      in_progress_timeout_ms: timeout === undefined ? null : timeout * 60_000,
      created_at_ms: job.createdAtMs,
      ...changingColumns(job),
    })
    .returning('number')
    .executeTakeFirstOrThrow();
  return Number(row.number);
}

export async function updateJob(database: StateDatabase, job: StoredJob): Promise<void> {
  await database.updateTable('job').set(changingColumns(job)).where('number', '=', job.number).execute();
}

export async function deleteJobRow(database: StateDatabase, number: number): Promise<void> {
  await database.deleteFrom('job_count').where('job', '=', number).execute();
  await database.deleteFrom('job').where('number', '=', number).execute();
}

const countsByJob = byNumbers((database, numbers) => database.selectFrom('job_count').selectAll().where('job', 'in', numbers));

export async function readCounts(database: StateDatabase, numbers: Iterable<number>): Promise<ReadonlyMap<number, JobCounts>> {
  const counts = new Map<number, { -readonly [status in ExecutionStatus]: number }>();
  for (const number of numbers) counts.set(number, { ...NO_COUNTS });
  for (const chunk of chunksOf([...counts.keys()])) {
    for (const row of (await countsByJob(chunk.length).run(database, chunk)) as readonly JobCountTable[]) {
      const of = counts.get(Number(row.job));
      if (of !== undefined) of[statusOf(row.status)] = Number(row.executions);
    }
  }
  return counts;
}

/** A statement by numbers for each size of a chunk: all that devices do asks these. */
function byNumbers<Row>(
  build: (database: StateDatabase, numbers: readonly never[]) => Compilable<Row>,
): (size: number) => PreparedStatement<StateSchema, Row> {
  const statements = new Map<number, PreparedStatement<StateSchema, Row>>();
  return (size) => {
    let statement = statements.get(size);
    if (statement === undefined) statements.set(size, (statement = new PreparedStatement<StateSchema, Row>(size, build)));
    return statement;
  };
}

export function noJob(id: string): SelsynError {
  return new SelsynError('job.not-found', `there is no job ${id}`, { details: { id } });
}

function changingColumns(job: Omit<StoredJob, 'number'>) {
  return {
    group_path: job.group,
    status: job.status,
    targets: JSON.stringify(job.targets.map(targetText)),
    description: job.description ?? null,
    config: JSON.stringify(job.config),
    progress: JSON.stringify(job.progress),
    next_at_ms: job.nextAtMs === undefined ? null : Math.min(Math.ceil(job.nextAtMs), Number.MAX_SAFE_INTEGER),
    updated_at_ms: job.updatedAtMs,
    completed_at_ms: job.completedAtMs ?? null,
  };
}

function jobOf(row: Row): StoredJob {
  return {
    number: Number(row.number),
    id: row.id,
    group: row.group_path,
    // Written by `changingColumns` only.
    status: row.status as JobStatus,
    selection: row.selection as TargetSelection,
    targets: (JSON.parse(row.targets) as string[]).map(parseTarget),
    description: row.description ?? undefined,
    config: JSON.parse(row.config) as JobConfig,
    progress: JSON.parse(row.progress) as JobProgress,
    nextAtMs: row.next_at_ms === null ? undefined : Number(row.next_at_ms),
    createdAtMs: Number(row.created_at_ms),
    updatedAtMs: Number(row.updated_at_ms),
    completedAtMs: row.completed_at_ms === null ? undefined : Number(row.completed_at_ms),
  };
}
