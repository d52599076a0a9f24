import { SelsynError } from '../../kernel/errors.ts';
import type { AbortConfig, JobConfig, RetryConfig, RolloutConfig, ScheduleConfig } from './job-config.ts';
import { isTimeZone, windowFault } from './maintenance-windows.ts';

export const MAX_RATE_PER_MINUTE = 10_000_000;
export const MAX_WINDOWS = 16;
/** AWS: 7 days. */
export const MAX_TIMEOUT_MINUTES = 10_080;
const MAX_WINDOW_MINUTES = 10_080;
/** AWS: the end comes at least 30 minutes after the start. */
const LEAST_SCHEDULE_MS = 30 * 60_000;

/**
 * What a schema of single fields does not see: that a whole makes sense.
 *
 * @throws SelsynError `request.invalid` that says which field is wrong
 */
export function checkConfig(config: JobConfig, nowMs: number): void {
  if (config.rollout !== undefined) checkRollout(config.rollout);
  if (config.abort !== undefined) checkAbort(config.abort);
  if (config.timeout !== undefined) {
    const { inProgressMinutes } = config.timeout;
    if (!isWhole(inProgressMinutes, 1, MAX_TIMEOUT_MINUTES))
      throw invalid('timeout', `an execution may be in progress for 1 to ${MAX_TIMEOUT_MINUTES} minutes`);
  }
  if (config.retry !== undefined) checkRetry(config.retry);
  if (config.schedule !== undefined) checkSchedule(config.schedule, nowMs);
}

function checkRollout({ maximumPerMinute, exponential }: RolloutConfig): void {
  if (maximumPerMinute !== undefined && !isWhole(maximumPerMinute, 1, MAX_RATE_PER_MINUTE))
    throw invalid('rollout', `the maximum rate is 1 to ${MAX_RATE_PER_MINUTE} a minute`);
  if (exponential === undefined) return;
  const { baseRatePerMinute, incrementFactor, rateIncreaseCriteria } = exponential;
  if (!isWhole(baseRatePerMinute, 1, MAX_RATE_PER_MINUTE) || baseRatePerMinute > (maximumPerMinute ?? MAX_RATE_PER_MINUTE))
    throw invalid('rollout', 'the base rate is at least 1 a minute, and not above the maximum');
  if (!(incrementFactor >= 1.1 && incrementFactor <= 5)) throw invalid('rollout', 'the increment factor is 1.1 to 5');
  const criteria = [rateIncreaseCriteria.numberOfNotifiedThings, rateIncreaseCriteria.numberOfSucceededThings].filter(
    (count) => count !== undefined,
  );
  if (criteria.length === 0 || !criteria.every((count) => isWhole(count, 1, 1e9)))
    throw invalid('rollout', 'the rate increases after a number of notified or of succeeded devices, at least 1');
}

function checkAbort({ criteria }: AbortConfig): void {
  if (criteria.length === 0) throw invalid('abort', 'at least one criterion is needed');
  for (const { thresholdPercentage, minNumberOfExecutedThings } of criteria) {
    if (!(thresholdPercentage > 0 && thresholdPercentage <= 100))
      throw invalid('abort', 'the threshold is above 0 and at most 100 percent');
    if (!isWhole(minNumberOfExecutedThings, 1, 1e9)) throw invalid('abort', 'the least number of executed devices is at least 1');
  }
}

function checkRetry({ criteria }: RetryConfig): void {
  if (criteria.length === 0) throw invalid('retry', 'at least one criterion is needed');
  for (const { numberOfRetries } of criteria) {
    if (!isWhole(numberOfRetries, 0, 10)) throw invalid('retry', 'an execution is tried again 0 to 10 times');
  }
}

function checkSchedule(schedule: ScheduleConfig, nowMs: number): void {
  const { startTimeMs, endTimeMs, endBehavior, maintenanceWindows = [], timeZone } = schedule;
  if (endTimeMs !== undefined && endTimeMs < Math.max(nowMs, startTimeMs ?? 0) + LEAST_SCHEDULE_MS)
    throw invalid('schedule', 'the end is at least 30 minutes after the start');
  if (endBehavior !== undefined && endTimeMs === undefined) throw invalid('schedule', 'an end behaviour needs an end');
  if (timeZone !== undefined && !isTimeZone(timeZone))
    throw invalid('schedule', `${timeZone.slice(0, 100)} is no time zone such as Europe/Berlin`);
  if (maintenanceWindows.length > MAX_WINDOWS) throw invalid('schedule', `a job has at most ${MAX_WINDOWS} maintenance windows`);
  for (const { startTime, durationMinutes } of maintenanceWindows) {
    const fault = windowFault(startTime, nowMs);
    if (fault !== undefined) throw invalid('schedule', `${startTime.slice(0, 100)} ${fault}`);
    if (!isWhole(durationMinutes, 1, MAX_WINDOW_MINUTES))
      throw invalid('schedule', `a maintenance window lasts 1 to ${MAX_WINDOW_MINUTES} minutes`);
  }
}

function isWhole(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field } });
}
