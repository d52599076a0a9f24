import { isUtf8 } from 'node:buffer';
import type { BatchDevice, PointWriter } from '../../../points/point-writer.ts';
import { MAX_BROKEN, timeFault, valueFault } from '../../../points/sample-limits.ts';
import {
  afterBlanks,
  BACKSLASH,
  COMMA,
  DOT,
  endOfLine,
  EQUALS,
  HASH,
  LineFault,
  MINUS,
  NEWLINE,
  NINE,
  QUOTE,
  scanLine,
  type ScannedLine,
  seriesKeyOf,
  SPACE,
  textOf,
  withoutReturn,
  ZERO,
} from './line-scan.ts';
import type { TimeReader } from './line-time.ts';
import { type LineMapping, LineSeries } from './series-names.ts';

/** A line that was not taken. */
export interface LineProblem {
  /** From 1. */
  readonly line: number;
  /** `malformed`: it is none; `refused`: it is one, and cannot be kept. */
  readonly kind: 'malformed' | 'refused';
  readonly message: string;
}

/** How a value is written. */
const COPY = 0;
const NORMALISE = 1;
const TRUE = 2;
const FALSE = 3;

const TRUE_TEXT = new TextEncoder().encode('true');
const FALSE_TEXT = new TextEncoder().encode('false');
const MAX_PROBLEMS = 20;
/** Beyond it they are forgotten, and worked out again. */
const MAX_SERIES = 20_000;
const MAX_KEYS = 100_000;
const MAX_SERIES_BYTES = 512;
const SHOWN_CHARACTERS = 200;
/** Fields of a line that is read in one pass. */
const QUICK_FIELDS = 256;

/** Series that lines of one mapping have named: shared by requests, so that a known one costs a look-up. */
export class LineSeriesCache {
  readonly mapping: LineMapping;
  readonly #series = new Map<string, LineSeries>();
  #keys = 0;

  constructor(mapping: LineMapping) {
    this.mapping = mapping;
  }

  /** @param `[start, end)` the bytes of a measurement and its tags, whole @throws LineFault */
  find(data: Buffer, start: number, end: number): LineSeries {
    const key = data.toString('latin1', start, end);
    let series = this.#series.get(key);
    if (series === undefined) {
      series = new LineSeries(seriesKeyOf(data, start, end), this.mapping, () => this.#keys++);
      if (end - start > MAX_SERIES_BYTES) return series;
      if (this.#series.size >= MAX_SERIES || this.#keys >= MAX_KEYS) {
        this.#series.clear();
        this.#keys = 0;
      }
      this.#series.set(key, series);
    }
    return series;
  }

  /** Undefined where no line that was read exactly has named it. */
  known(data: Buffer, start: number, end: number): LineSeries | undefined {
    return this.#series.get(data.toString('latin1', start, end));
  }
}

export interface LineReaderOptions {
  readonly series: LineSeriesCache;
  readonly time: TimeReader;
  readonly writer: PointWriter;
  /** Of lines that have no time, and against which those of others are checked. */
  readonly nowMs: number;
}

/**
 * Reads line protocol into points.
 *
 * A line without escapes and texts is read in one pass, without a string made; every other one is left to `scanLine`, which also says
 * what is wrong where something is.
 */
export class LineReader {
  readonly problems: LineProblem[] = [];
  /** Lines that were none. */
  malformed = 0;
  /** Lines that cannot be kept. */
  refused = 0;
  readonly #data: Buffer;
  readonly #options: LineReaderOptions;
  readonly #checksUtf8: boolean;
  #at = 0;
  #line = 1;
  // The fields of the line that is being read.
  readonly #keys: Uint8Array[] = [];
  readonly #starts = new Int32Array(QUICK_FIELDS);
  readonly #ends = new Int32Array(QUICK_FIELDS);
  readonly #kinds = new Uint8Array(QUICK_FIELDS);

  constructor(data: Buffer, options: LineReaderOptions) {
    this.#data = data;
    this.#options = options;
    this.#checksUtf8 = !isUtf8(data);
  }

  /** Too many lines were none: what follows was not read. */
  get gaveUp(): boolean {
    return this.malformed >= MAX_BROKEN;
  }

  /** Reads until so many bytes are read. @returns false once there is nothing left, or it is of no use to read on */
  read(bytes: number): boolean {
    const data = this.#data;
    const until = Math.min(data.length, this.#at + bytes);
    while (this.#at < until && !this.gaveUp) {
      const start = this.#at;
      let end = data.indexOf(NEWLINE, start);
      if (end === -1) end = data.length;
      if (this.#readQuickly(start, end)) {
        this.#at = end + 1;
        this.#line++;
      } else this.#readExactly(start);
    }
    return this.#at < data.length && !this.gaveUp;
  }

  /** @returns false when the exact way has to say what the line is; nothing of it was written then */
  #readQuickly(lineStart: number, lineEnd: number): boolean {
    if (this.#checksUtf8) return false;
    const data = this.#data;
    const { series: known, time: times, writer, nowMs } = this.#options;
    const start = afterBlanks(data, lineStart, lineEnd);
    if (start === lineEnd) return true;
    if (data[start] === HASH) return false;
    let at = start;
    while (at < lineEnd && data[at] !== SPACE) if (data[at++] === BACKSLASH) return false;
    if (at === lineEnd) return false;
    const series = known.known(data, start, at);
    if (series === undefined || series.device === undefined) return false;
    at = afterBlanks(data, at, lineEnd);
    let count = 0;
    const { lastFields, lastKeys } = series;
    for (;;) {
      if (count === QUICK_FIELDS) return false;
      const keyStart = at;
      const last = lastFields[count];
      if (last !== undefined && startsWith(data, at, lineEnd, last)) {
        this.#keys[count] = lastKeys[count]!;
        at += last.length;
      } else {
        for (; at < lineEnd && data[at] !== EQUALS; at++) {
          const byte = data[at];
          if (byte === BACKSLASH || byte === QUOTE || byte === SPACE || byte === COMMA) return false;
        }
        if (at === lineEnd || at === keyStart) return false;
        const key = series.keyOf(textOf(data, keyStart, at));
        if (typeof key === 'string') return false;
        at++;
        this.#keys[count] = key;
        lastFields[count] = data.subarray(keyStart, at).slice();
        lastKeys[count] = key;
      }
      at = this.#readValue(at, lineEnd, count);
      if (at === -1) return false;
      for (let i = 0; i < count; i++) if (this.#keys[i] === this.#keys[count]) return false;
      count++;
      if (at === lineEnd || data[at] === SPACE) break;
      at++; // the comma
    }
    at = afterBlanks(data, at, lineEnd);
    let timeMs = nowMs;
    if (at < lineEnd) {
      const timeStart = at;
      while (at < lineEnd && data[at]! >= ZERO && data[at]! <= NINE) at++;
      timeMs = times.read(data, timeStart, at);
      for (; at < lineEnd; at++) if (data[at] !== SPACE) return false;
      if (timeFault(timeMs, nowMs) !== undefined) return false;
    }
    this.#write(writer.device(series.device), timeMs, count);
    return true;
  }

  /** @returns where the value ends: at a comma, a space, or the end; -1 where the exact way has to look */
  #readValue(start: number, lineEnd: number, field: number): number {
    const data = this.#data;
    let at = start;
    const first = data[at];
    if (first === MINUS) at++;
    const digits = at;
    let dot = -1;
    for (; at < lineEnd; at++) {
      const byte = data[at]!;
      if (byte >= ZERO && byte <= NINE) continue;
      if (byte !== DOT || dot !== -1) break;
      dot = at;
    }
    if (at === digits) return first === MINUS ? -1 : this.#readBoolean(start, lineEnd, field);
    let kind = COPY;
    // What JSON does not write so: 007, .5, 5.
    if (dot === digits || dot === at - 1 || (data[digits] === ZERO && at - digits > 1 && dot !== digits + 1)) kind = NORMALISE;
    if (kind === NORMALISE && dot !== -1 && at - digits === 1) return -1;
    const valueEnd = at;
    if (at < lineEnd && data[at] === LOWER_I) {
      if (dot !== -1 || at - digits > SURE_DIGITS) return -1;
      at++;
    }
    if (at < lineEnd && data[at] !== COMMA && data[at] !== SPACE) return -1;
    if (at - digits > MAX_PLAIN_DIGITS) return -1;
    this.#starts[field] = start;
    this.#ends[field] = valueEnd;
    this.#kinds[field] = kind;
    return at;
  }

  #readBoolean(start: number, lineEnd: number, field: number): number {
    const data = this.#data;
    let end = start;
    while (end < lineEnd && data[end] !== COMMA && data[end] !== SPACE) end++;
    if (end - start > 5) return -1;
    const text = data.toString('latin1', start, end);
    if (text === 'true' || text === 't' || text === 'T' || text === 'True' || text === 'TRUE') this.#kinds[field] = TRUE;
    else if (text === 'false' || text === 'f' || text === 'F' || text === 'False' || text === 'FALSE') this.#kinds[field] = FALSE;
    else return -1;
    return end;
  }

  #write(device: BatchDevice, timeMs: number, count: number): void {
    const { writer } = this.#options;
    const data = this.#data;
    writer.begin(device, timeMs);
    const { out } = writer;
    for (let field = 0; field < count; field++) {
      writer.name(this.#keys[field]!);
      const kind = this.#kinds[field];
      if (kind === COPY) out.bytes(data, this.#starts[field], this.#ends[field]);
      else if (kind === TRUE) out.bytes(TRUE_TEXT);
      else if (kind === FALSE) out.bytes(FALSE_TEXT);
      else out.text(String(Number(data.toString('latin1', this.#starts[field], this.#ends[field]))));
    }
    writer.end();
  }

  #readExactly(lineStart: number): void {
    const data = this.#data;
    const end = endOfLine(data, lineStart, data.length);
    const line = this.#line;
    for (let at = lineStart; at <= end && at < data.length; at++) if (data[at] === NEWLINE) this.#line++;
    this.#at = end + 1;
    const start = afterBlanks(data, lineStart, end);
    const bare = withoutReturn(data, start, end);
    if (bare === start || data[start] === HASH) return;
    try {
      if (this.#checksUtf8 && !isUtf8(data.subarray(start, bare))) throw new LineFault('invalid UTF-8');
      const scanned = scanLine(data, start, bare);
      const series = this.#options.series.find(data, start, scanned.keyEnd);
      const fault = this.#keep(scanned, series);
      if (fault !== undefined) this.#problem('refused', line, fault);
    } catch (error) {
      if (!(error instanceof LineFault)) throw error;
      this.#problem('malformed', line, `unable to parse '${this.#shown(start, bare)}': ${error.message}`);
    }
  }

  /** @returns why it cannot be kept; nothing of it was written then */
  #keep({ fields, time }: ScannedLine, series: LineSeries): string | undefined {
    const { writer, nowMs, time: times } = this.#options;
    if (series.device === undefined) return series.fault;
    const timeMs = time === undefined ? nowMs : times.parse(time);
    if (Number.isNaN(timeMs)) throw new LineFault('time outside range');
    const fault = timeFault(timeMs, nowMs);
    if (fault !== undefined) return fault;
    const keys: Uint8Array[] = [];
    for (const [name, value] of fields) {
      const key = series.keyOf(name);
      if (typeof key === 'string') return key;
      const wrong = valueFault(value);
      if (wrong !== undefined) return `${wrong} (field "${name.slice(0, 64)}")`;
      keys.push(key);
    }
    writer.begin(writer.device(series.device), timeMs);
    for (const [field, [, value]] of fields.entries()) {
      writer.name(keys[field]!);
      writer.out.text(JSON.stringify(value));
    }
    writer.end();
    return undefined;
  }

  #problem(kind: LineProblem['kind'], line: number, message: string): void {
    if (kind === 'malformed') this.malformed++;
    else this.refused++;
    if (this.problems.length < MAX_PROBLEMS) this.problems.push({ kind, line, message });
  }

  #shown(start: number, end: number): string {
    const text = textOf(this.#data, start, Math.min(end, start + 4 * SHOWN_CHARACTERS));
    return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  }
}

const LOWER_I = 0x69;
/** An integer of so many digits fits 64 bits. */
const SURE_DIGITS = 18;
/** Longer numbers may be beyond a double: the exact way looks. */
const MAX_PLAIN_DIGITS = 300;

/** Whether `text`, a field's key with its `=`, stands there. */
function startsWith(data: Uint8Array, at: number, end: number, text: Uint8Array): boolean {
  const { length } = text;
  if (at + length > end) return false;
  for (let i = 0; i < length; i++) if (data[at + i] !== text[i]) return false;
  return true;
}
