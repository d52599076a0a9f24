import { SelsynError } from '../kernel/errors.ts';
import type { SqlPlan, TablePart } from './sql-calls.ts';

/** What a query may be given to read less, as the end of a sentence; empty where it reads no telemetry. */
export function readingAdvice({ telemetry, hours, days }: Pick<SqlPlan, 'telemetry' | 'hours' | 'days'>): string {
  const parts = [...telemetry, ...hours, ...days];
  const lacks = (missing: (part: TablePart) => boolean): boolean => parts.some(missing);
  const advice: string[] = [];
  if (lacks(({ fromMs }) => fromMs === -Infinity)) {
    advice.push("add a condition on time, as time > now() - INTERVAL '1 day'");
  } else if (parts.length > 0) advice.push('ask for a shorter time');
  if (lacks(({ devices, deviceTypes }) => devices === undefined && deviceTypes === undefined)) {
    advice.push("name devices, as device = 'sensor-1' or device IN (SELECT id FROM devices WHERE …)");
  }
  if (lacks(({ metrics }) => metrics === undefined)) advice.push("name metrics, as metric = 'temperature'");
  if (telemetry.length > 0) advice.push('read telemetry_1h or telemetry_1d');
  return advice.join(', or ');
}

export function tooManyPoints(maxPoints: number, plan: SqlPlan): SelsynError {
  return new SelsynError('sql.over-limit', `the query reads more than ${maxPoints} points: ${readingAdvice(plan)}`, {
    details: { limit: 'points', maxPoints },
  });
}
