import { MAX_ROW_VALUES } from '../../../points/sample-limits.ts';

/*
 * One line of InfluxDB's line protocol, read as InfluxDB reads it (models/points.go of 1.x and 2.x): the same lines are taken, the same
 * refused, for the same reasons. This is the exact way, which sees every escape; line-reader.ts has a quick one for the lines that have
 * none.
 *
 *   line      = measurement *( "," tag "=" value ) 1*SP field *( "," field ) [ 1*SP time ]
 *   field     = key "=" ( float / integer "i" / unsigned "u" / boolean / DQUOTE text DQUOTE )
 *   boolean   = t / T / true / True / TRUE / f / F / false / False / FALSE
 */
export const NEWLINE = 0x0a;
export const SPACE = 0x20;
export const QUOTE = 0x22;
export const HASH = 0x23;
export const PLUS = 0x2b;
export const COMMA = 0x2c;
export const MINUS = 0x2d;
export const DOT = 0x2e;
export const ZERO = 0x30;
export const NINE = 0x39;
export const EQUALS = 0x3d;
export const BACKSLASH = 0x5c;
const TAB = 0x09;
const RETURN = 0x0d;
/** InfluxDB's MaxKeyLength. */
const MAX_KEY_BYTES = 65_535;
/** So many digits are no more than an int64. */
const SURE_TIME_DIGITS = 18;
const MAX_INT = 2n ** 63n - 1n;
const MIN_INT = -(2n ** 63n);
const MAX_UNSIGNED = 2n ** 64n - 1n;

/** A line that is none; the message is InfluxDB's. */
export class LineFault extends Error {
  override readonly name = 'LineFault';
}

export type FieldValue = number | boolean | string;

export interface ScannedLine {
  /** `[start, keyEnd)`: the measurement and its tags. */
  readonly keyEnd: number;
  readonly fields: readonly (readonly [key: string, value: FieldValue])[];
  /** As it stands there; undefined where there is none. */
  readonly time: string | undefined;
}

export interface SeriesKey {
  readonly measurement: string;
  /** In the order of the line. */
  readonly tags: readonly (readonly [tag: string, value: string])[];
}

/** Where the line that begins at `start` ends: at a newline that is neither escaped nor within a text. */
export function endOfLine(data: Uint8Array, start: number, end: number): number {
  let at = start;
  let quoted = false;
  let inFields = false;
  let equals = 0;
  let commas = 0;
  while (at < end) {
    const byte = data[at];
    if (byte === BACKSLASH && at + 2 < end) {
      at += 2;
      continue;
    }
    if (byte === SPACE) inFields = true;
    if (inFields) {
      if (!quoted && byte === EQUALS) equals++;
      else if (!quoted && byte === COMMA) commas++;
      else if (byte === QUOTE && equals > commas) quoted = !quoted;
    }
    if (byte === NEWLINE && !quoted) break;
    at++;
  }
  return at;
}

export function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB || byte === 0;
}

export function afterBlanks(data: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && isBlank(data[at])) at++;
  return at;
}

/** The end of a line without a newline, which it has where a text in it does not end, and the return that Windows puts before one. */
export function withoutReturn(data: Uint8Array, start: number, end: number): number {
  const bare = end > start && data[end - 1] === NEWLINE ? end - 1 : end;
  return bare > start && data[bare - 1] === RETURN ? bare - 1 : bare;
}

/** @param start not blank @throws LineFault */
export function scanLine(data: Uint8Array, start: number, end: number): ScannedLine {
  const keyEnd = endOfKey(data, start, end);
  if (keyEnd - start > MAX_KEY_BYTES) throw new LineFault(`max key length exceeded: ${keyEnd - start} > ${MAX_KEY_BYTES}`);
  const fieldsStart = afterBlanks(data, keyEnd, end);
  const fieldsEnd = endOfFields(data, fieldsStart, end);
  const timeStart = afterBlanks(data, fieldsEnd, end);
  const timeEnd = endOfTime(data, timeStart, end);
  const time = timeStart === timeEnd ? undefined : checkTime(textOf(data, timeStart, timeEnd));
  for (let at = timeEnd; at < end; at++) if (data[at] !== SPACE) throw new LineFault('point is invalid');
  return {
    keyEnd,
    fields: fieldsOf(data, fieldsStart, fieldsEnd),
    time,
  };
}

/** @param text digits, and a minus before them, or nothing behind it @throws LineFault */
function checkTime(text: string): string {
  if (text === '-') throw new LineFault('strconv.ParseInt: parsing "-": invalid syntax');
  if (text.length > SURE_TIME_DIGITS && (BigInt(text) > MAX_INT || BigInt(text) < MIN_INT)) {
    throw new LineFault(`strconv.ParseInt: parsing "${text}": value out of range`);
  }
  return text;
}

/** The parts of `[start, end)`, which `scanLine` has gone through. @throws LineFault for tags that come twice */
export function seriesKeyOf(data: Uint8Array, start: number, end: number): SeriesKey {
  let at = nextUnescaped(data, start + 1, end, COMMA);
  const measurement = unescapeMeasurement(textOf(data, start, at));
  const tags: (readonly [string, string])[] = [];
  const seen = new Set<string>();
  while (at < end) {
    const tagStart = at + 1;
    const equals = nextUnescaped(data, tagStart + 1, end, EQUALS);
    at = nextUnescaped(data, equals + 1, end, COMMA);
    const raw = textOf(data, tagStart, equals);
    if (seen.has(raw)) throw new LineFault('duplicate tags');
    seen.add(raw);
    tags.push([unescapeTag(raw), unescapeTag(textOf(data, equals + 1, at))]);
  }
  return { measurement, tags };
}

function nextUnescaped(data: Uint8Array, start: number, end: number, byte: number): number {
  let at = start;
  while (at < end && !(data[at] === byte && data[at - 1] !== BACKSLASH)) at++;
  return at;
}

function endOfKey(data: Uint8Array, start: number, end: number): number {
  let at = start;
  if (at >= end || data[at] === COMMA) throw new LineFault('missing measurement');
  for (;;) {
    at++;
    if (at >= end) throw new LineFault('missing fields');
    if (data[at - 1] === BACKSLASH) continue;
    if (data[at] === SPACE) return at;
    if (data[at] === COMMA) break;
  }
  for (;;) {
    at = afterTagKey(data, at + 1, end);
    at = endOfTagValue(data, at, end);
    if (data[at] === SPACE) return at;
  }
}

function afterTagKey(data: Uint8Array, start: number, end: number): number {
  const first = data[start];
  if (start >= end || first === SPACE || first === COMMA || first === EQUALS) throw new LineFault('missing tag key');
  for (let at = start + 1; ; at++) {
    const escaped = data[at - 1] === BACKSLASH;
    if (at >= end || ((data[at] === SPACE || data[at] === COMMA) && !escaped)) throw new LineFault('missing tag value');
    if (data[at] === EQUALS && !escaped) return at + 1;
  }
}

function endOfTagValue(data: Uint8Array, start: number, end: number): number {
  if (start >= end || data[start] === COMMA || data[start] === SPACE) throw new LineFault('missing tag value');
  for (let at = start + 1; ; at++) {
    if (at >= end) throw new LineFault('missing fields');
    if (data[at - 1] === BACKSLASH) continue;
    if (data[at] === EQUALS) throw new LineFault('invalid tag format');
    if (data[at] === COMMA || data[at] === SPACE) return at;
  }
}

function endOfFields(data: Uint8Array, start: number, end: number): number {
  let at = start;
  let quoted = false;
  let equals = 0;
  let commas = 0;
  while (at < end) {
    const byte = data[at];
    if (byte === BACKSLASH && at + 1 < end) {
      at += 2;
      continue;
    }
    if (byte === QUOTE && equals > commas) {
      quoted = !quoted;
      at++;
      continue;
    }
    if (byte === EQUALS && !quoted) {
      equals++;
      if ((data[at - 1] === SPACE || data[at - 1] === COMMA) && data[at - 2] !== BACKSLASH)
        throw new LineFault('missing field key');
      const next = data[at + 1];
      if (at + 1 >= end || next === COMMA || next === SPACE) throw new LineFault('missing field value');
      if (next !== QUOTE) {
        at = startsNumber(next) ? endOfNumber(data, at + 1, end) : endOfBoolean(data, at + 1, end);
        continue;
      }
    }
    if (byte === COMMA && !quoted && ++commas >= MAX_ROW_VALUES) throw new LineFault(`more than ${MAX_ROW_VALUES} fields`);
    if (byte === SPACE && !quoted) break;
    at++;
  }
  if (quoted) throw new LineFault('unbalanced quotes');
  if (equals === 0 || commas !== equals - 1) throw new LineFault('invalid field format');
  return at;
}

function startsNumber(byte: number | undefined): boolean {
  return isNumeric(byte) || byte === MINUS || byte === 0x4e || byte === 0x6e; // N, n: refused as a number
}

export function isNumeric(byte: number | undefined): boolean {
  return byte !== undefined && ((byte >= ZERO && byte <= NINE) || byte === DOT);
}

function endOfNumber(data: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && data[at] !== COMMA && data[at] !== SPACE) at++;
  const text = textOf(data, start, at);
  if (INTEGER.test(text)) {
    const digits = text.slice(0, -1);
    const isUnsigned = text.endsWith('u');
    const value = BigInt(digits);
    if (isUnsigned ? digits.startsWith('-') || value > MAX_UNSIGNED : value > MAX_INT || value < MIN_INT) {
      if (isUnsigned && digits.startsWith('-')) throw new LineFault('invalid number');
      const [kind, parser] = isUnsigned ? ['unsigned', 'ParseUint'] : ['integer', 'ParseInt'];
      throw new LineFault(`unable to parse ${kind} ${digits}: strconv.${parser}: parsing "${digits}": value out of range`);
    }
  } else if (!FLOAT.test(text)) throw new LineFault(BROKEN_EXPONENT.test(text) ? 'invalid float' : 'invalid number');
  else if (!Number.isFinite(Number(text))) throw new LineFault('invalid float');
  return at;
}

const INTEGER = /^-?\d+[iu]$/;
const FLOAT = /^-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const BROKEN_EXPONENT = /^-?(?=[^eE]*[eE])(?![^.]*\.[^.]*\.)(?:[\d.]|[eE][+-]?)+$/;

function endOfBoolean(data: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && data[at] !== COMMA && data[at] !== SPACE) at++;
  if (!BOOLEANS.has(textOf(data, start, at))) throw new LineFault('invalid boolean');
  return at;
}

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['t', 'T', 'true', 'True', 'TRUE'].map((text) => [text, true] as const),
  ...['f', 'F', 'false', 'False', 'FALSE'].map((text) => [text, false] as const),
]);

function endOfTime(data: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && data[at] !== SPACE) {
    const byte = data[at]!;
    if (!(at === start && byte === MINUS) && (byte < ZERO || byte > NINE)) throw new LineFault('bad timestamp');
    at++;
  }
  return at;
}

/** The fields of `[start, end)`, which `endOfFields` has gone through; of a key that comes again the last value counts. */
function fieldsOf(data: Uint8Array, start: number, end: number): readonly (readonly [string, FieldValue])[] {
  const fields = new Map<string, FieldValue>();
  let at = start;
  while (at < end) {
    const equals = nextUnescaped(data, at, end, EQUALS);
    const valueEnd = endOfValue(data, equals + 1, end);
    const key = unescapeKey(textOf(data, at, equals));
    fields.set(key, valueOf(textOf(data, equals + 1, valueEnd)));
    at = valueEnd + 1;
  }
  return [...fields];
}

function endOfValue(data: Uint8Array, start: number, end: number): number {
  let quoted = false;
  let at = start;
  while (at < end) {
    if (data[at] === BACKSLASH && at + 1 < end && quoted) {
      at += 2;
      continue;
    }
    if (data[at] === QUOTE) quoted = !quoted;
    else if (data[at] === COMMA && !quoted) break;
    at++;
  }
  return at;
}

function valueOf(text: string): FieldValue {
  if (text.startsWith('"')) return text.slice(1, -1).replaceAll(/\\(["\\])/g, '$1');
  const known = BOOLEANS.get(text);
  return known ?? Number(INTEGER.test(text) ? text.slice(0, -1) : text);
}

function unescapeMeasurement(text: string): string {
  return text.includes('\\') ? text.replaceAll(/\\([, ])/g, '$1') : text;
}

function unescapeTag(text: string): string {
  return text.includes('\\') ? text.replaceAll(/\\([, =])/g, '$1') : text;
}

function unescapeKey(text: string): string {
  return text.includes('\\') ? text.replaceAll(/\\([, ="])/g, '$1') : text;
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export function textOf(data: Uint8Array, start: number, end: number): string {
  return utf8.decode(data.subarray(start, end));
}
