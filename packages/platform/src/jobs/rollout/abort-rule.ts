import type { AbortConfig, AbortCriterion, FailureType, RetryConfig } from './job-config.ts';
import type { JobCounts } from './job-counts.ts';

/**
 * The first criterion that says a job is to be aborted. Devices whose executions are tried again have not failed yet.
 *
 * AWS: AbortCriteria. What `executed` means there is open: here a device has executed a job when its execution ended as SUCCEEDED,
 * FAILED, REJECTED or TIMED_OUT, so that devices which have not answered yet do not hide that the others fail.
 */
export function brokenCriterion(abort: AbortConfig | undefined, counts: JobCounts): AbortCriterion | undefined {
  if (abort === undefined) return undefined;
  const executed = counts.SUCCEEDED + failuresOf('ALL', counts);
  return abort.criteria.find(
    ({ failureType, thresholdPercentage, minNumberOfExecutedThings }) =>
      executed >= minNumberOfExecutedThings && failuresOf(failureType, counts) * 100 >= thresholdPercentage * executed,
  );
}

/** Whether an execution that ended so is to be tried again, after so many attempts that were retries already. */
export function mayRetry(retry: RetryConfig | undefined, ended: string, retries: number): boolean {
  if (retry === undefined || (ended !== 'FAILED' && ended !== 'TIMED_OUT')) return false;
  return retry.criteria.some(
    ({ failureType, numberOfRetries }) => (failureType === 'ALL' || failureType === ended) && retries < numberOfRetries,
  );
}

function failuresOf(type: FailureType, { FAILED, REJECTED, TIMED_OUT }: JobCounts): number {
  switch (type) {
    case 'FAILED':
      return FAILED;
    case 'REJECTED':
      return REJECTED;
    case 'TIMED_OUT':
      return TIMED_OUT;
    case 'ALL':
      return FAILED + REJECTED + TIMED_OUT;
  }
}
