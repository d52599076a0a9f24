import { isJson, type Json } from '../api/json.ts';
import { formatCount } from '../format/number-format.ts';

/** At which rate devices are given a job. */
export function rolloutWords(rollout: Json | undefined): string {
  if (rollout === undefined) return 'all at once';
  const most = rollout['maximumPerMinute'];
  const limit = typeof most === 'number' ? `${formatCount(most)} a minute` : 'no limit';
  const growth = rollout['exponential'];
  if (!isJson(growth)) return limit;
  const base = `from ${String(growth['baseRatePerMinute'])} a minute, times ${String(growth['incrementFactor'])}`;
  const criteria = isJson(growth['rateIncreaseCriteria']) ? growth['rateIncreaseCriteria'] : {};
  const [told, succeeded] = [criteria['numberOfNotifiedThings'], criteria['numberOfSucceededThings']];
  const each = [
    typeof succeeded === 'number' && `${formatCount(succeeded)} succeed`,
    typeof told === 'number' && `${formatCount(told)} are told`,
  ].filter((text) => text !== false);
  return `${base} each time ${each.join(' or ')}, up to ${limit}`;
}

/** When a job cancels itself. */
export function abortWords(abort: Json): string {
  return criteriaOf(abort)
    .map(
      (rule) =>
        `when ${String(rule['thresholdPercentage'])} % ${failureWords(rule['failureType'])}, of at least ${String(rule['minNumberOfExecutedThings'])}`,
    )
    .join('; ');
}

export function retryWords(retry: Json): string {
  return criteriaOf(retry)
    .map((rule) => `${String(rule['numberOfRetries'])} times when they ${failureWords(rule['failureType'])}`)
    .join('; ');
}

export function endWords({ endBehavior }: Json): string {
  if (endBehavior === 'CANCEL') return 'what is not begun is cancelled';
  return endBehavior === 'FORCE_CANCEL' ? 'all of it is cancelled' : 'what has been given goes on';
}

export function windowWords({ maintenanceWindows, timeZone }: Json): readonly string[] {
  const windows = Array.isArray(maintenanceWindows) ? maintenanceWindows.filter(isJson) : [];
  const zone = typeof timeZone === 'string' ? timeZone : 'UTC';
  return windows.map(
    (window) => `${String(window['startTime'])} for ${String(window['durationMinutes'])} min (${zone} unless the device says)`,
  );
}

function failureWords(type: unknown): string {
  switch (type) {
    case 'TIMED_OUT':
      return 'time out';
    case 'REJECTED':
      return 'refuse it';
    default:
      return 'fail';
  }
}

function criteriaOf({ criteria }: Json): readonly Json[] {
  return Array.isArray(criteria) ? criteria.filter(isJson) : [];
}
