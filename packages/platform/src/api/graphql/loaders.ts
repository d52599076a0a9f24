import DataLoader from 'dataloader';
import type { Command } from '../../commands/command.ts';
import { CommandStore } from '../../commands/command-store.ts';
import { ExecutionStore, type ExecutionPage, type ListedExecution } from '../../jobs/execution-store.ts';
import type { ExecutionStatus, JobExecution } from '../../jobs/job-execution.ts';
import { NO_COUNTS, type JobCounts } from '../../jobs/rollout/job-counts.ts';
import { readCounts, readDocuments, readJobs, type StoredJob } from '../../jobs/rollout/stored-job.ts';
import type { DeviceId } from '../../kernel/device-id.ts';
import type { Connectivity } from '../../registry/connectivity-store.ts';
import type { Device } from '../../registry/device.ts';
import type { ShadowDocument, ShadowKey } from '../../shadows/shadow-document.ts';
import { ShadowStore } from '../../shadows/shadow-store.ts';
import { shadowsOfEach, type NamedShadow } from '../../shadows/shadows-of-each.ts';
import type { LatestValue } from '../../telemetry/telemetry-queries.ts';
import type { GraphqlServices } from './graphql-context.ts';

/** So many keys in one statement or question. */
const MAX_BATCH = 1_000;

/** A list within each of many devices. */
export interface InnerList {
  readonly device: string;
  readonly first: number;
}

/**
 * What one request has loaded, or is about to. Fields ask for one thing each; what is asked for in the same step of the execution is read
 * together: the number of statements does not grow with the number of devices.
 */
export interface Loaders {
  readonly device: DataLoader<DeviceId, Device | undefined>;
  readonly connectivity: DataLoader<DeviceId, Connectivity | undefined>;
  readonly latest: DataLoader<DeviceId, readonly LatestValue[]>;
  readonly shadow: DataLoader<ShadowKey, ShadowDocument | undefined, string>;
  readonly shadows: DataLoader<InnerList, readonly NamedShadow[], string>;
  readonly commands: DataLoader<InnerList, readonly Command[], string>;
  /** Executions on devices. */
  readonly jobs: DataLoader<InnerList, readonly ListedExecution[], string>;
  /** By number. */
  readonly job: DataLoader<number, StoredJob | undefined>;
  readonly jobCounts: DataLoader<number, JobCounts>;
  readonly jobDocument: DataLoader<number, string | undefined>;
  readonly jobExecutions: DataLoader<ExecutionsQuery, ExecutionPage<JobExecution>, string>;
}

/** A page of the executions of a job. */
export interface ExecutionsQuery {
  readonly job: number;
  readonly status: ExecutionStatus | undefined;
  readonly limit: number;
  readonly cursor: string | undefined;
}

export function newLoaders(services: GraphqlServices, signal: AbortSignal): Loaders {
  const { devices, connectivity, telemetry, state } = services;
  const shadows = new ShadowStore(state.reader);
  const commands = new CommandStore(state.reader);
  const executions = new ExecutionStore({ database: state.reader });
  return {
    device: loader(async (ids) => {
      const found = await devices.findMany(ids);
      return ids.map((id) => found.get(id));
    }),
    connectivity: loader(async (ids) => {
      const found = await connectivity.of(ids);
      return ids.map((id) => found.get(id));
    }),
    latest: loader(async (ids) => {
      const found = await telemetry.latest(ids, signal);
      return ids.map((id) => found.get(id) ?? []);
    }),
    shadow: loader(async (keys) => await shadows.findMany(keys), keyText),
    shadows: listLoader(async (ids, first) => await shadowsOfEach(state.reader, ids, first)),
    commands: listLoader(async (ids, first) => await commands.newestOf(ids, first)),
    jobs: listLoader(async (ids, first) => await executions.newestOf(ids, first)),
    job: loader(async (numbers) => {
      const found = new Map((await readJobs(state.reader, numbers)).map((job) => [job.number, job]));
      return numbers.map((number) => found.get(number));
    }),
    jobCounts: loader(async (numbers) => {
      const found = await readCounts(state.reader, numbers);
      return numbers.map((number) => found.get(number) ?? NO_COUNTS);
    }),
    jobDocument: loader(async (numbers) => {
      const found = await readDocuments(state.reader, numbers);
      return numbers.map((number) => found.get(number));
    }),
    jobExecutions: loader(async (queries) => await executions.ofJobs(queries), queryText),
  };
}

function loader<K, V>(load: (keys: readonly K[]) => Promise<readonly V[]>): DataLoader<K, V>;
function loader<K, V>(load: (keys: readonly K[]) => Promise<readonly V[]>, nameOf: (key: K) => string): DataLoader<K, V, string>;
function loader<K, V>(load: (keys: readonly K[]) => Promise<readonly V[]>, nameOf?: (key: K) => string) {
  if (nameOf === undefined) return new DataLoader<K, V>(load, { maxBatchSize: MAX_BATCH });
  return new DataLoader<K, V, string>(load, { maxBatchSize: MAX_BATCH, cacheKeyFn: nameOf });
}

/** Lists of the same length are read together: two fields may want different ones. */
function listLoader<V>(
  load: (devices: readonly string[], first: number) => Promise<ReadonlyMap<string, readonly V[]>>,
): DataLoader<InnerList, readonly V[], string> {
  return loader(
    async (keys) => {
      const found = new Map<number, ReadonlyMap<string, readonly V[]>>();
      for (const first of new Set(keys.map((key) => key.first))) {
        const asked = keys.filter((key) => key.first === first).map(({ device }) => device);
        found.set(first, await load(asked, first));
      }
      return keys.map(({ device, first }) => found.get(first)?.get(device) ?? []);
    },
    ({ device, first }) => `${first} ${device}`,
  );
}

function queryText({ job, status, limit, cursor }: ExecutionsQuery): string {
  return `${job} ${limit} ${status} ${cursor}`;
}

function keyText({ device, shadow }: ShadowKey): string {
  return `${device} ${shadow}`;
}
