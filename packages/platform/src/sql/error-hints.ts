/** What to write instead, for what the engine says, of some queries or of all; the first that fits counts. */
const HINTS: readonly (readonly [message: RegExp, hint: string | ((found: string) => string), of?: RegExp])[] = [
  [/column "(now|today|current_time)" not found/i, (name) => `it is a function: ${name}()`],
  [/column "(yesterday|tomorrow)" not found/i, "a day is current_date - 1, or '2026-11-22'"],
  [
    /column "(\w+)" not found in FROM clause/,
    (name) => `a metric is not a column: metric = '${name}' asks for its rows, and DESCRIBE telemetry lists the columns`,
    /\btelemetry/i,
  ],
  [
    /Cannot compare values of type TIMESTAMP.* and type (?:INTEGER|BIGINT|DOUBLE|DECIMAL)/,
    'a time in ms since 1970 is epoch_ms(…)',
  ],
  [/function call "[-+]\(TIMESTAMP[A-Z ]*, (?:STRING_LITERAL|VARCHAR|INTEGER)/, "a span of time is written INTERVAL '1 hour'"],
  [/Could not convert string .* to DOUBLE/, 'value holds numbers; texts are in text, true and false in flag'],
  [
    /to the destination type VARCHAR\[\]|function call "~~\(VARCHAR\[\]|'~~\(VARCHAR\[\]/,
    "tags are a list: list_contains(tags, 'name')",
  ],
  [
    /"device" does not exist on left side of join|"id" does not exist on (?:left|right) side/,
    'join by devices.id = telemetry.device',
  ],
  [/^Table "\w+" does not have a column named "device(?:_id)?"/, 'the id of a device is devices.id, and telemetry.device'],
];

/** Functions of other databases, and what is written here instead. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  convert_tz: "time AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin'",
  date_format: "strftime(time, '%Y-%m-%d')",
  dateadd: "time + INTERVAL '1 hour'",
  from_unixtime: 'to_timestamp(seconds), epoch_ms(ms)',
  from_unixtime_ms: 'epoch_ms(ms)',
  getdate: 'now()',
  getutcdate: 'now()',
  isnull: 'coalesce(value, 0)',
  nvl: 'coalesce(value, 0)',
  percentile: 'quantile_cont(value, 0.9)',
  percentile_approx: 'approx_quantile(value, 0.9)',
  stdev: 'stddev(value)',
  sysdate: 'now()',
  timestampdiff: "date_diff('second', a, b)",
  to_char: "strftime(time, '%Y-%m-%d')",
  to_date: 'strptime(text, format)::DATE',
  unix_timestamp: 'epoch(time)',
};

/** The message of an error with what to write instead, where that can be told. @param byte where in the query it is */
export function withHint(message: string, sql: string, byte: number | undefined): string {
  const hint = hintFor(message, sql, byte);
  return hint === undefined ? message : `${message.replace(/[.!]$/, '')}; ${hint}`;
}

/** For a function that there is not; undefined where none is known. */
export function otherName(name: string): string | undefined {
  return Object.hasOwn(OTHER_NAMES, name.toLowerCase()) ? OTHER_NAMES[name.toLowerCase()] : undefined;
}

function hintFor(message: string, sql: string, byte: number | undefined): string | undefined {
  const missing = /column "([^"]*)" not found/.exec(message)?.[1];
  const at = byte === undefined ? '' : Buffer.from(sql).subarray(byte).toString();
  if (missing !== undefined && at.startsWith(`"${missing}"`)) {
    return `a text stands in single quotes, as '${missing}'; double quotes are for names`;
  }
  if (message.startsWith('syntax error')) return syntaxHint(sql, at);
  for (const [pattern, hint, of] of HINTS) {
    const found = pattern.exec(message);
    if (found !== null && (of === undefined || of.test(sql))) return typeof hint === 'string' ? hint : hint(found[1] ?? '');
  }
  return undefined;
}

function syntaxHint(sql: string, at: string): string | undefined {
  // Outside of texts and of quoted names.
  const words = sql.replaceAll(/'[^']*'|"[^"]*"/g, ' ');
  if (/\bgroup\b(?!\s+by\b)/i.test(words)) return 'the column "group" needs its quotes, for GROUP is a word of SQL';
  if (/^[smhdw]\b/i.test(at)) return "a span of time is written INTERVAL '1 hour'";
  if (/\bselect\s+top\b/i.test(words)) return 'the first rows are asked for by LIMIT at the end';
  if (/^\s*[\\.]|^\s*help\b/i.test(words)) return 'SHOW TABLES lists the tables, DESCRIBE telemetry the columns of one';
  return undefined;
}
