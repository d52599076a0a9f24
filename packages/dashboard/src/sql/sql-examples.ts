/** Queries to begin with; a click puts one into the editor. */
export const SQL_EXAMPLES: readonly { readonly label: string; readonly sql: string }[] = [
  {
    label: 'Newest value of each metric',
    sql: `SELECT device, metric, max(time) AS newest, arg_max(value, time) AS value
FROM telemetry
WHERE time >= now() - INTERVAL 1 HOUR
GROUP BY device, metric
ORDER BY device, metric
LIMIT 100`,
  },
  {
    label: 'Points a metric and day',
    sql: `SELECT metric, time::DATE AS day, sum(count) AS points, min(min) AS lowest, max(max) AS highest
FROM telemetry_1d
WHERE time >= now() - INTERVAL 30 DAY
GROUP BY metric, day
ORDER BY day DESC, points DESC`,
  },
  {
    label: 'Hours of one metric',
    sql: `SELECT device, time, mean, min, max
FROM telemetry_1h
WHERE metric = 'temperature' AND time >= now() - INTERVAL 24 HOUR
ORDER BY device, time`,
  },
  {
    label: 'By group',
    sql: `SELECT d."group", t.metric, count(DISTINCT t.device) AS devices, avg(t.mean) AS mean
FROM telemetry_1h t JOIN devices d ON d.id = t.device
WHERE t.time >= now() - INTERVAL 24 HOUR
GROUP BY ALL
ORDER BY ALL`,
  },
  {
    label: 'Of one type',
    sql: `SELECT t.device, d.name, t.metric, avg(t.value) AS mean
FROM telemetry t JOIN devices d ON d.id = t.device
WHERE d.type = 'pump' AND t.time >= now() - INTERVAL 1 HOUR
GROUP BY ALL
ORDER BY ALL`,
  },
  {
    label: 'Days of a time zone',
    sql: `SELECT (time AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin')::DATE AS day, metric, min(min) AS lowest, max(max) AS highest
FROM telemetry_1h
WHERE time >= now() - INTERVAL 7 DAY
GROUP BY ALL
ORDER BY ALL`,
  },
  {
    label: 'Devices that are silent',
    sql: `SELECT d.id, d.name, d."group", max(t.time) AS last_hour
FROM devices d LEFT JOIN telemetry_1h t ON t.device = d.id AND t.time >= now() - INTERVAL 7 DAY
GROUP BY ALL
HAVING last_hour IS NULL OR last_hour < now() - INTERVAL 1 DAY
ORDER BY last_hour NULLS FIRST`,
  },
];

/** What can be asked, with its columns. */
export const SQL_TABLES: readonly { readonly name: string; readonly about: string; readonly columns: string }[] = [
  {
    name: 'telemetry',
    about: 'every point',
    columns: 'device, metric, time, value (numbers), text, flag (true or false), device_type',
  },
  {
    name: 'telemetry_1h, telemetry_1d',
    about: 'each hour and each day (UTC), kept longer than points',
    columns: 'device, metric, time, count, min, max, sum, mean, first, last, first_text, last_text, device_type',
  },
  {
    name: 'devices',
    about: 'what is registered',
    columns: 'id, name, type, "group", tags, attributes (JSON), created_at, updated_at',
  },
];
