import type { ApiClient, Query } from './client.ts';
import { jobPath } from './jobs.ts';
import { asObject, number, objects, optionalNumber, optionalObject, text, type Json } from './json.ts';
import { pageOf, type Page } from './page.ts';
import { toProblem } from './problem.ts';

/** A job on a device. */
export interface Execution {
  readonly job: string;
  readonly device: string;
  /** From 1, for each job and device. */
  readonly number: number;
  readonly status: string;
  /** What the device said last. */
  readonly details: Json;
  readonly version: number;
  /** How many attempts were before it. */
  readonly retryAttempt: number;
  readonly queuedAtMs: number;
  readonly startedAtMs: number | undefined;
  readonly updatedAtMs: number;
  readonly timesOutAtMs: number | undefined;
}

export interface ExecutionEvent {
  readonly version: number;
  readonly atMs: number;
  readonly status: string;
  readonly cause: string;
  readonly details: Json;
}

const PAGE_SIZE = 50;

export async function fetchJobExecutions(
  client: ApiClient,
  job: string,
  query: Query,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Page<Execution>> {
  const asked = { ...query, cursor, limit: PAGE_SIZE };
  return pageOf(await client.get(`${jobPath(job)}/executions`, { query: asked, signal }), 'executions', executionFrom);
}

/** The latest execution on a device, as a list of one; empty where the device has none. */
export async function findJobExecution(
  client: ApiClient,
  job: string,
  device: string,
  signal?: AbortSignal,
): Promise<Page<Execution>> {
  try {
    const found = asObject(await client.get(pathOf(job, device), { signal }), 'execution');
    return { items: [executionFrom(found)], cursor: undefined };
  } catch (error) {
    if (toProblem(error).code !== 'job-execution.not-found') throw error;
    return { items: [], cursor: undefined };
  }
}

export async function fetchDeviceJobs(
  client: ApiClient,
  device: string,
  query: Query,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Page<Execution>> {
  const asked = { ...query, cursor, limit: PAGE_SIZE };
  return pageOf(
    await client.get(`/devices/${encodeURIComponent(device)}/jobs`, { query: asked, signal }),
    'executions',
    executionFrom,
  );
}

/** What has happened to an execution, oldest first. */
export async function fetchExecutionHistory(
  client: ApiClient,
  { job, device, number: which }: Pick<Execution, 'job' | 'device' | 'number'>,
  signal?: AbortSignal,
): Promise<readonly ExecutionEvent[]> {
  const answer = await client.get(pathOf(job, device), { query: { number: which }, signal });
  return objects(asObject(answer, 'execution'), 'history', (event) => ({
    version: number(event, 'version'),
    atMs: number(event, 'atMs'),
    status: text(event, 'status'),
    cause: text(event, 'cause'),
    details: optionalObject(event, 'statusDetails') ?? {},
  }));
}

export async function cancelExecution(
  client: ApiClient,
  { job, device, version }: Pick<Execution, 'job' | 'device' | 'version'>,
  force: boolean,
): Promise<Execution> {
  const body = { force, expectedVersion: version };
  return executionFrom(asObject(await client.post(`${pathOf(job, device)}/cancel`, body), 'execution'));
}

function executionFrom(source: Json): Execution {
  return {
    job: text(source, 'job'),
    device: text(source, 'device'),
    number: number(source, 'number'),
    status: text(source, 'status'),
    details: optionalObject(source, 'statusDetails') ?? {},
    version: number(source, 'version'),
    retryAttempt: number(source, 'retryAttempt'),
    queuedAtMs: number(source, 'queuedAtMs'),
    startedAtMs: optionalNumber(source, 'startedAtMs'),
    updatedAtMs: number(source, 'updatedAtMs'),
    timesOutAtMs: optionalNumber(source, 'timesOutAtMs'),
  };
}

function pathOf(job: string, device: string): string {
  return `${jobPath(job)}/executions/${encodeURIComponent(device)}`;
}
