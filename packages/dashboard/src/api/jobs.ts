import type { ApiClient, Query } from './client.ts';
import { asObject, number, optionalNumber, optionalObject, optionalText, text, texts, truth, type Json } from './json.ts';
import { pageOf, type Page } from './page.ts';

export const JOB_STATUSES = ['SCHEDULED', 'IN_PROGRESS', 'CANCELED', 'COMPLETED', 'DELETION_IN_PROGRESS'] as const;

/** As AWS names them, in the order in which the page shows them. */
export const EXECUTION_STATUSES = [
  'SUCCEEDED',
  'FAILED',
  'TIMED_OUT',
  'REJECTED',
  'IN_PROGRESS',
  'QUEUED',
  'CANCELED',
  'REMOVED',
] as const;
export type ExecutionStatus = (typeof EXECUTION_STATUSES)[number];
export type JobCounts = Readonly<Record<ExecutionStatus, number>>;

export interface Job {
  readonly id: string;
  readonly group: string;
  readonly status: string;
  readonly targets: readonly string[];
  readonly isContinuous: boolean;
  readonly description: string | undefined;
  /** Not in lists. */
  readonly document: Json | undefined;
  readonly rollout: Json | undefined;
  readonly abort: Json | undefined;
  readonly timeout: Json | undefined;
  readonly retry: Json | undefined;
  readonly schedule: Json | undefined;
  readonly counts: JobCounts;
  readonly progress: {
    /** Its targets are still being walked through. */
    readonly expanding: boolean;
    /** Devices that have no execution yet. */
    readonly waiting: number;
    readonly notified: number;
    readonly finished: number;
    readonly ratePerMinute: number | undefined;
  };
  /** Why it was cancelled. */
  readonly reason: { readonly code: string; readonly comment: string | undefined } | undefined;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly completedAtMs: number | undefined;
}

const PAGE_SIZE = 50;
/** The same rule as the server's, to say it before asking. */
export const JOB_ID_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;

export async function fetchJobs(
  client: ApiClient,
  query: Query,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Page<Job>> {
  return pageOf(await client.get('/jobs', { query: { ...query, cursor, limit: PAGE_SIZE }, signal }), 'jobs', jobFrom);
}

export async function fetchJob(client: ApiClient, id: string, signal?: AbortSignal): Promise<Job> {
  return jobFrom(asObject(await client.get(jobPath(id), { signal }), 'job'));
}

/** @param draft as `POST /jobs` takes it. */
export async function createJob(client: ApiClient, draft: Json): Promise<Job> {
  return jobFrom(asObject(await client.post('/jobs', draft), 'job'));
}

export async function cancelJob(
  client: ApiClient,
  id: string,
  how: { readonly force: boolean; readonly comment?: string },
): Promise<Job> {
  return jobFrom(asObject(await client.post(`${jobPath(id)}/cancel`, how), 'job'));
}

export async function removeJob(client: ApiClient, id: string, force: boolean): Promise<void> {
  await client.send('DELETE', jobPath(id), { query: { force: String(force) } });
}

export function jobPath(id: string): string {
  return `/jobs/${encodeURIComponent(id)}`;
}

function jobFrom(source: Json): Job {
  const counts = asObject(source['counts'], 'counts');
  const progress = asObject(source['progress'], 'progress');
  const reason = optionalObject(source, 'reason');
  return {
    id: text(source, 'id'),
    group: text(source, 'group'),
    status: text(source, 'status'),
    targets: texts(source, 'targets'),
    isContinuous: source['targetSelection'] === 'continuous',
    description: optionalText(source, 'description'),
    document: optionalObject(source, 'document'),
    rollout: optionalObject(source, 'rollout'),
    abort: optionalObject(source, 'abort'),
    timeout: optionalObject(source, 'timeout'),
    retry: optionalObject(source, 'retry'),
    schedule: optionalObject(source, 'schedule'),
    counts: Object.fromEntries(EXECUTION_STATUSES.map((status) => [status, number(counts, status)])) as JobCounts, // all are in it
    progress: {
      expanding: truth(progress, 'expanding'),
      waiting: number(progress, 'waiting'),
      notified: number(progress, 'notified'),
      finished: number(progress, 'finished'),
      ratePerMinute: optionalNumber(progress, 'ratePerMinute'),
    },
    reason: reason && { code: text(reason, 'code'), comment: optionalText(reason, 'comment') },
    createdAtMs: number(source, 'createdAtMs'),
    updatedAtMs: number(source, 'updatedAtMs'),
    completedAtMs: optionalNumber(source, 'completedAtMs'),
  };
}
