import type { Batch } from '../state/batch.ts';
import { dataOf, encodeNotify, encodeNotifyNext, MAX_LISTED, summaryOf, type ExecutionSummary } from './job-answers.ts';
import type { JobExecution } from './job-execution.ts';
import type { JobFacts } from './job-facts.ts';
import { jobsPrefix } from './job-topics.ts';

/** A device to whose pending executions something was done: what it was to see of them before and now, in the order to do them. */
export interface DeviceNews {
  readonly device: string;
  readonly before: readonly JobExecution[];
  readonly now: readonly JobExecution[];
}

/**
 * Publishes the list of what is pending where it has other executions or other statuses, and what is next where that is another one
 * now; neither where only something about them has changed (AWS IoT Core developer guide, "Jobs notifications").
 */
export function notifyDevices(news: readonly DeviceNews[], facts: ReadonlyMap<number, JobFacts>, batch: Batch): void {
  const { nowMs } = batch;
  for (const { device, before, now } of news) {
    if (before.length === now.length && now.every((execution, index) => isSame(execution, before[index], true))) continue;
    const { inProgress, queued } = summariesOf(now, facts);
    const prefix = jobsPrefix(device);
    batch.publish({ device, topic: `${prefix}/notify`, payload: encodeNotify(inProgress, queued, nowMs) });
    const [next] = now;
    if (isSame(next, before[0], false)) continue;
    const job = next === undefined ? undefined : facts.get(next.job);
    const data = next === undefined || job === undefined ? undefined : dataOf(next, job, nowMs);
    batch.publish({ device, topic: `${prefix}/notify-next`, payload: encodeNotifyNext(data, job?.document, nowMs) });
  }
}

function isSame(a: JobExecution | undefined, b: JobExecution | undefined, withStatus: boolean): boolean {
  return a?.job === b?.job && a?.number === b?.number && (!withStatus || a?.status === b?.status);
}

/** The first of what is pending, see `MAX_LISTED`. */
export function summariesOf(
  visible: readonly JobExecution[],
  facts: { get(job: number): JobFacts | undefined },
): { readonly inProgress: readonly ExecutionSummary[]; readonly queued: readonly ExecutionSummary[] } {
  const inProgress: ExecutionSummary[] = [];
  const queued: ExecutionSummary[] = [];
  for (const execution of visible.slice(0, MAX_LISTED)) {
    const job = facts.get(execution.job);
    if (job !== undefined) (execution.status === 'IN_PROGRESS' ? inProgress : queued).push(summaryOf(execution, job));
  }
  return { inProgress, queued };
}
