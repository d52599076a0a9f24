import { MAX_TIME_MS } from '../kernel/time-text.ts';

/** What the engine itself says it will keep of a table, as far as it is understood: anything else is taken as no bound. */
export interface TableBounds {
  readonly fromMs: number;
  readonly toMs: number;
  readonly devices?: readonly string[];
  readonly metrics?: readonly string[];
  readonly deviceTypes?: readonly string[];
  /** Of `devices`. */
  readonly ids?: readonly string[];
  readonly group?: string;
}

const NAMED = { device: 'devices', metric: 'metrics', device_type: 'deviceTypes', id: 'ids' } as const;
const TEXT = String.raw`'(?:[^']|'')*'`;
const EQUALS = new RegExp(String.raw`^(\w+)=(${TEXT})$`);
const AMONG = new RegExp(String.raw`^(\w+) IN \((${TEXT}(?:, ${TEXT})*)\)$`);
const TIME = new RegExp(String.raw`^time(<=|>=|<|>|=)'([^']*)'::TIMESTAMP$`);
const ZONED = String.raw`'([^']*)'::TIMESTAMP WITH TIME ZONE`;
const ZONED_COLUMN = String.raw`CAST\(time AS TIMESTAMP WITH TIME ZONE\)`;
const ZONED_TIME = new RegExp(`^${ZONED_COLUMN} (<=|>=|<|>|=) ${ZONED}$`);
/** Whether its ends are included is not written. */
const ZONED_RANGE = new RegExp(`^${ZONED_COLUMN} BETWEEN ${ZONED} AND ${ZONED}$`);

/**
 * Reads the filters that EXPLAIN names for the scan of a table.
 *
 * Each is a condition that rows must hold for; conditions are joined by AND or OR. Where the text is not exactly of a known
 * form, as that of an expression, it bounds nothing: the engine checks every row again.
 */
export function boundsOf(filters: readonly string[]): TableBounds {
  let bounds: TableBounds = { fromMs: -Infinity, toMs: Infinity };
  // A line break within a text of the query tears a filter in two: none of the pieces says what it seems to.
  if (filters.some((filter) => quotes(filter) % 2 !== 0)) return bounds;
  for (const filter of filters) {
    const text = filter.startsWith('optional: ') ? filter.slice('optional: '.length) : filter;
    bounds = intersect(bounds, disjunction(text));
  }
  return bounds;
}

/** Any of several bounds. */
export function union(all: readonly TableBounds[]): TableBounds {
  const names = (key: 'devices' | 'metrics' | 'deviceTypes' | 'ids'): readonly string[] | undefined =>
    all.every((bounds) => bounds[key] !== undefined) ? [...new Set(all.flatMap((bounds) => bounds[key]!))] : undefined;
  const groups = new Set(all.map(({ group }) => group));
  const [group] = groups;
  return {
    fromMs: Math.min(...all.map(({ fromMs }) => fromMs)),
    toMs: Math.max(...all.map(({ toMs }) => toMs)),
    ...given('devices', names('devices')),
    ...given('metrics', names('metrics')),
    ...given('deviceTypes', names('deviceTypes')),
    ...given('ids', names('ids')),
    ...given('group', groups.size === 1 ? group : undefined),
  };
}

/** Where AND and OR are mixed without parentheses, this reads no less than what was meant. */
function disjunction(text: string): TableBounds {
  return union(splitOutside(text, ' OR ').map(conjunction));
}

function conjunction(text: string): TableBounds {
  const range = ZONED_RANGE.exec(text);
  if (range !== null) return intersect(timeBounds('>=', range[1]!), timeBounds('<=', range[2]!));
  return splitOutside(text, ' AND ').map(term).reduce(intersect);
}

function term(text: string): TableBounds {
  return isEnclosed(text) ? disjunction(text.slice(1, -1)) : condition(text);
}

function condition(text: string): TableBounds {
  const equals = EQUALS.exec(text);
  if (equals !== null) return named(equals[1]!, [unquoted(equals[2]!)]);
  const among = AMONG.exec(text);
  if (among !== null)
    return named(
      among[1]!,
      [...among[2]!.matchAll(new RegExp(TEXT, 'g'))].map(([value]) => unquoted(value)),
    );
  const time = TIME.exec(text) ?? ZONED_TIME.exec(text);
  return time === null ? NOTHING_SAID : timeBounds(time[1]!, time[2]!);
}

const NOTHING_SAID: TableBounds = { fromMs: -Infinity, toMs: Infinity };

function named(column: string, values: readonly string[]): TableBounds {
  if (column === 'group' && values.length === 1) return { ...NOTHING_SAID, group: values[0]! };
  const key = (NAMED as Partial<Record<string, (typeof NAMED)[keyof typeof NAMED]>>)[column];
  return key === undefined ? NOTHING_SAID : { ...NOTHING_SAID, [key]: values };
}

/** Times are whole ms; those of the query have µs. */
function timeBounds(operator: string, text: string): TableBounds {
  const micros = microsOf(text);
  if (micros === undefined) return NOTHING_SAID;
  const { ms, isWhole } = micros;
  switch (operator) {
    case '>=':
      return { fromMs: isWhole ? ms : ms + 1, toMs: Infinity };
    case '>':
      return { fromMs: ms + 1, toMs: Infinity };
    case '<':
      return { fromMs: -Infinity, toMs: isWhole ? ms : ms + 1 };
    case '<=':
      return { fromMs: -Infinity, toMs: ms + 1 };
    default:
      return isWhole ? { fromMs: ms, toMs: ms + 1 } : { fromMs: ms + 1, toMs: ms + 1 };
  }
}

/** `2026-11-22 05:00:00.123456`, with `+00` where it has a time zone. */
function microsOf(text: string): { readonly ms: number; readonly isWhole: boolean } | undefined {
  const match = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:\+00)?$/.exec(text);
  if (match === null) return undefined;
  const fraction = (match[7] ?? '').padEnd(6, '0');
  const ms = Date.parse(`${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}.${fraction.slice(0, 3)}Z`);
  return Number.isNaN(ms) || Math.abs(ms) > MAX_TIME_MS ? undefined : { ms, isWhole: fraction.endsWith('000') };
}

function intersect(a: TableBounds, b: TableBounds): TableBounds {
  const both = (key: 'devices' | 'metrics' | 'deviceTypes' | 'ids'): readonly string[] | undefined => {
    const [left, right] = [a[key], b[key]];
    if (left === undefined || right === undefined) return left ?? right;
    const kept = new Set(right);
    return left.filter((value) => kept.has(value));
  };
  return {
    fromMs: Math.max(a.fromMs, b.fromMs),
    toMs: Math.min(a.toMs, b.toMs),
    ...given('devices', both('devices')),
    ...given('metrics', both('metrics')),
    ...given('deviceTypes', both('deviceTypes')),
    ...given('ids', both('ids')),
    ...given('group', a.group ?? b.group),
  };
}

function given<K extends string, V>(key: K, value: V | undefined): { readonly [key in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [key in K]?: V };
}

/** Whether its first parenthesis is closed by its last character. */
function isEnclosed(text: string): boolean {
  if (!text.startsWith('(')) return false;
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "'") quoted = !quoted;
    else if (quoted) continue;
    else if (text[i] === '(') depth++;
    else if (text[i] === ')' && --depth === 0) return i === text.length - 1;
  }
  return false;
}

/** Splits where the separator stands outside of quotes and parentheses. */
function splitOutside(text: string, separator: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quoted = false;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === "'") quoted = !quoted;
    else if (quoted) continue;
    else if (char === '(') depth++;
    else if (char === ')') depth--;
    else if (depth === 0 && text.startsWith(separator, i)) {
      parts.push(text.slice(start, i));
      start = i + separator.length;
      i = start - 1;
    }
  }
  return [...parts, text.slice(start)];
}

function quotes(text: string): number {
  return text.split("'").length - 1;
}

function unquoted(text: string): string {
  return text.slice(1, -1).replaceAll("''", "'");
}
