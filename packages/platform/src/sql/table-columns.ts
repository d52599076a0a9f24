import type { TABLES } from './query-check.ts';

/** What the tables have, in SQL. `value` of telemetry: numbers; text and flag: what is none; one of the three is not null. */
export const TABLE_COLUMNS: Readonly<Record<(typeof TABLES)[number], string>> = {
  telemetry: 'device VARCHAR, metric VARCHAR, time TIMESTAMP, value DOUBLE, text VARCHAR, flag BOOLEAN, device_type VARCHAR',
  telemetry_1h: rollupColumns(),
  telemetry_1d: rollupColumns(),
  devices:
    'id VARCHAR, name VARCHAR, type VARCHAR, "group" VARCHAR, tags VARCHAR[], attributes JSON, created_at TIMESTAMP, updated_at TIMESTAMP',
};

/** `time` is the start of the hour or day (UTC). count, first and last take every value; the others numbers, and flags as 0 and 1. */
function rollupColumns(): string {
  return (
    'device VARCHAR, metric VARCHAR, time TIMESTAMP, count BIGINT, min DOUBLE, max DOUBLE, sum DOUBLE, mean DOUBLE, ' +
    'first DOUBLE, last DOUBLE, first_text VARCHAR, last_text VARCHAR, device_type VARCHAR'
  );
}
