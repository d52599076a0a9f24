import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemActor } from '../../audit/actor.ts';
import { openSqliteDatabase } from '../../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../../database/migrate.ts';
import type { StateDatabase, StateSchema } from '../../database/schema.ts';
import { STATE_MIGRATIONS } from '../../database/state-migrations.ts';
import type { DeviceId } from '../../kernel/device-id.ts';
import { isSelsynError } from '../../kernel/errors.ts';
import { silentLogLines } from '../../kernel/log-lines.ts';
import { openTestRegistry, type TestRegistry } from '../../registry/registry.fixture.ts';
import { EVERYTHING } from '../../registry/scope.ts';
import { groupsAreNoted } from '../../registry/registry-stream.ts';
import { GroupStore } from '../../registry/group-store.ts';
import { fleetsFollow } from '../../registry/fleet-store.ts';
import type { OutgoingMessage } from '../../state/outgoing.ts';
import { RegistryFollowing } from '../../state/registry-following.ts';
import { StateWriter } from '../../state/state-writer.ts';
import { executionOf } from '../execution-row.ts';
import type { JobExecution, ReportedStatus } from '../job-execution.ts';
import type { JobCounts } from './job-counts.ts';
import type { JobRequest } from './job-control.ts';
import { openJobServices, type JobServices } from './job-services.ts';
import { findJob, readCounts, type StoredJob } from './stored-job.ts';

const NAME = 'test';
export const asTester = { actor: systemActor(NAME), scope: EVERYTHING } as const;

const BREAKER = {
  name: 'breaker',
  apply: async (): Promise<never> => {
    throw new Error('broken on purpose');
  },
};
const BARRIER = { name: 'barrier', apply: async (works: readonly null[]) => works };

type JobFields = Partial<Omit<JobRequest, 'actor'>> & Pick<JobRequest, 'id' | 'targets'>;

/** All of jobs over a registry and a state in files of memory; time passes only by `pass`. */
export interface TestJobs extends AsyncDisposable {
  readonly registry: TestRegistry;
  readonly database: StateDatabase;
  readonly published: OutgoingMessage[];
  readonly services: JobServices;
  /** Throws away all that is not written, and begins again on what is. */
  restart(): Promise<void>;
  /** Everything that is due at this moment is done, what changed in the registry is followed. */
  settle(): Promise<void>;
  /** Lets time pass, in small parts. */
  pass(ms: number, stepMs?: number): Promise<void>;
  create(request: JobFields): Promise<void>;
  job(id: string): Promise<StoredJob>;
  counts(id: string): Promise<JobCounts>;
  executions(id: string): Promise<readonly JobExecution[]>;
  /** A device says how it is doing; a refusal is no error. */
  report(id: string, device: string, status: ReportedStatus): Promise<void>;
  /** What a device is asked to do now, by the ids of jobs. */
  pending(device: string): Promise<readonly string[]>;
  /** The next batch fails when all of it is done but for the commit; what was in it is done again, each by itself. */
  breakBatch(): void;
}

export async function openTestJobs(options: { readonly stepSize?: number } = {}): Promise<TestJobs> {
  const registry = await openTestRegistry();
  const dir = mkdtempSync(join(tmpdir(), 'selsyn-jobs-'));
  const file = openSqliteDatabase<StateSchema>(join(dir, 'state.db'));
  await migrate(file.database, STATE_MIGRATIONS);
  const { clock } = registry;
  const published: OutgoingMessage[] = [];
  const open = () => {
    const writer = new StateWriter({
      database: file.database,
      outlet: {
        publish: (messages) => void published.push(...messages),
        isWatched: () => {
          return false;
        },
        tell: () => {},
      },
      clock,
      logLines: silentLogLines,
    });
    const services = openJobServices({
      database: file.database,
      writer,
      registry: registry.database,
      clock,
      logLines: silentLogLines,
      stepSize: options.stepSize,
    });
    const following = new RegistryFollowing({
      registry: registry.database,
      followers: [services.domain, services.orchestration],
      writer,
      clock,
      logLines: silentLogLines,
    });
    return { writer, services, following };
  };
  let current = open();
  const close = async (): Promise<void> => {
    await current.services[Symbol.asyncDispose]();
    await current.following[Symbol.asyncDispose]();
    await current.writer[Symbol.asyncDispose]();
  };
  const begin = async (): Promise<void> => {
    await current.following.start(file.database);
    await current.services.start();
  };
  await begin();
  const jobs: TestJobs = {
    registry: {
      ...registry,
      groups: new GroupStore({
        database: registry.database,
        clock,
        followers: [fleetsFollow, groupsAreNoted(() => clock.now())],
      }),
    },
    database: file.database,
    published,
    get services() {
      return current.services;
    },
    async restart() {
      await close();
      current = open();
      await begin();
    },
    async settle() {
      await current.following.follow();
      // Works that timers have begun stand before it.
      await current.writer.run(BARRIER, null);
      current.services.runner.wake();
      await current.services.runner.settled();
    },
    async pass(ms, stepMs = 1_000) {
      for (let left = ms; left > 0; left -= stepMs) {
        clock.advance(Math.min(stepMs, left));
        await jobs.settle();
      }
    },
    async create(request) {
      await current.services.calls.createJob({
        targetSelection: 'snapshot',
        document: { operation: 'reboot' },
        config: {},
        ...asTester,
        ...request,
      });
    },
    async job(id) {
      const job = await findJob(file.database, id);
      if (job === undefined) throw new Error(`no job ${id}`);
      return job;
    },
    async counts(id) {
      const { number } = await jobs.job(id);
      return (await readCounts(file.database, [number])).get(number)!;
    },
    async executions(id) {
      const rows = await file.database
        .selectFrom('job_execution')
        .selectAll()
        .where('job', '=', (await jobs.job(id)).number)
        .orderBy('device')
        .orderBy('number')
        .execute();
      return rows.map(executionOf);
    },
    async report(id, device, status) {
      await current.services.calls.askJobs({
        operation: 'update',
        device,
        job: id,
        number: undefined,
        report: { status, details: undefined, stepTimeoutMs: undefined },
        expectedVersion: undefined,
        withState: false,
        withDocument: false,
      });
    },
    async pending(device) {
      const answer = await current.services.calls.askJobs({ operation: 'pending', device });
      if (answer.kind !== 'pending') throw new Error('no list of what is pending');
      return [...answer.inProgressJobs, ...answer.queuedJobs].map(({ jobId }) => jobId);
    },
    breakBatch() {
      current.writer.run(BREAKER, null).catch(() => {});
    },
    async [Symbol.asyncDispose]() {
      await close();
      await file[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
      rmSync(dir, { recursive: true });
    },
  };
  return jobs;
}

/** Adds devices `{prefix}0000`… to a group. */
export async function addDevices(
  registry: TestRegistry,
  prefix: string,
  count: number,
  group = '/',
  attributes: Record<string, string> = {},
): Promise<readonly string[]> {
  const ids = Array.from({ length: count }, (_, index) => `${prefix}${String(index).padStart(4, '0')}`);
  for (let start = 0; start < count; start += 5_000) {
    await registry.devices.put(
      ids.slice(start, start + 5_000).map((id) => ({ id: id as DeviceId, group, attributes })),
      'create',
    );
  }
  return ids;
}

/** What is not refused. */
export async function refusalOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (isSelsynError(error)) return error.code;
    throw error;
  }
}
