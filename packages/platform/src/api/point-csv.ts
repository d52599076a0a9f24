import { SelsynError } from '../kernel/errors.ts';
import { readCell, readTextCell } from '../registry/import/cell.ts';

/*
 * CSV of points (RFC 4180; the first line names the columns, in any order):
 *
 *   device,metric,time,value,text,flag          a point a row, as an export writes it: one of the last three is filled
 *   device,time,temperature,humidity,state      a sample a row: every other column is a metric
 *
 * `time` is ISO 8601 (UTC where it names no zone), or ms since 1970; `ts` is another name for it. What a cell of a metric's own column
 * is, is told by what it looks like: a number however it is written (pandas writes 21 as 21.0), true or false, else a text.
 */
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MAX_COLUMNS = 1_000;
const MS = /^-?\d{1,16}$/;
/** With a point and an exponent; not with zeros before it, as ids have them. */
const NUMBER = /^ *[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)? *$/;
const ISO = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d(?::?\d\d)?)?)?$/;

/** A row as point-rows.ts takes it, or what is wrong with it. */
export type CsvRow = Readonly<Record<string, unknown>> | Error;

/** Reads rows of points, one after the other. */
export class CsvPoints {
  readonly #data: Buffer;
  #at = 0;
  readonly #columns: readonly string[];
  readonly #isLong: boolean;

  /** @throws SelsynError `request.invalid` for a first line that names no such columns */
  constructor(data: Buffer) {
    this.#data = data;
    // As spreadsheets begin a file.
    if (data[0] === 0xef && data[1] === 0xbb && data[2] === 0xbf) this.#at = 3;
    const names = this.#cells()?.map((name) => name.trim()) ?? [];
    this.#columns = names.map((name) => (name === 'ts' ? 'time' : name));
    this.#isLong = this.#columns.includes('metric');
    const known = new Set(this.#columns);
    if (known.size !== names.length || names.length > MAX_COLUMNS)
      throw invalid('a column stands there twice, or there are too many');
    if (!known.has('device'))
      throw invalid('no column is named device: the first line names the columns, as device,metric,time,value,text,flag');
    if (this.#isLong) {
      const strange = this.#columns.find((name) => !LONG.has(name));
      if (strange !== undefined) throw invalid(`beside "metric" there is no column "${strange.slice(0, 64)}"`);
    }
  }

  /** Bytes that were read. */
  get position(): number {
    return this.#at;
  }

  /** The next row; undefined at the end. Empty lines are passed over. */
  next(): CsvRow | undefined {
    while (this.#data[this.#at] === LINE_FEED || this.#data[this.#at] === RETURN) this.#at++;
    const cells = this.#cells();
    if (cells === undefined) return undefined;
    if (cells.length !== this.#columns.length)
      return new Error(
        `the row has ${cells.length > MAX_COLUMNS ? 'too many' : cells.length} cells, and there are ${this.#columns.length} columns`,
      );
    return this.#isLong ? this.#point(cells) : this.#sample(cells);
  }

  #point(cells: readonly string[]): CsvRow {
    const of = (name: string): string => cells[this.#columns.indexOf(name)] ?? '';
    const ts = timeOf(of('time'));
    if (ts instanceof Error) return ts;
    const [value, text, flag] = [of('value'), of('text'), of('flag')];
    if ([value, text, flag].filter((cell) => cell !== '').length !== 1)
      return new Error('one of value, text and flag is to be filled');
    const row = { device: of('device'), ...(ts !== undefined && { ts }), metric: readTextCell(of('metric')) };
    if (text !== '') return { ...row, value: readTextCell(text) };
    if (flag !== '') {
      if (!/^(?:true|false)$/i.test(flag)) return new Error('"flag" is true or false');
      return { ...row, value: flag.toLowerCase() === 'true' };
    }
    const number = Number(value);
    if (Number.isNaN(number) || value.trim() === '') return new Error('"value" is no number: what is text stands in "text"');
    return { ...row, value: number };
  }

  #sample(cells: readonly string[]): CsvRow {
    let ts: number | undefined;
    let device = '';
    const values: [string, unknown][] = [];
    for (const [at, name] of this.#columns.entries()) {
      const cell = cells[at] ?? '';
      if (name === 'device') device = cell;
      else if (name === 'time') {
        const time = timeOf(cell);
        if (time instanceof Error) return time;
        ts = time;
      } else if (cell !== '') values.push([name, valueOf(cell)]);
    }
    if (values.length === 0) return new Error('the row has no value');
    return { device, ...(ts !== undefined && { ts }), values: Object.fromEntries(values) };
  }

  /** The cells of the next line. */
  #cells(): string[] | undefined {
    const data = this.#data;
    if (this.#at >= data.length) return undefined;
    const cells: string[] = [];
    for (;;) {
      const cell = data[this.#at] === QUOTE ? this.#quotedCell() : this.#plainCell();
      cells.push(cell);
      if (cells.length > MAX_COLUMNS) {
        // It is enough to know that the line has more than any may have.
        const end = data.indexOf(LINE_FEED, this.#at);
        this.#at = end === -1 ? data.length : end + 1;
        return cells;
      }
      if (data[this.#at] === COMMA) {
        this.#at++;
        continue;
      }
      if (data[this.#at] === RETURN) this.#at++;
      this.#at++; // the line feed, or the end
      return cells;
    }
  }

  #plainCell(): string {
    const data = this.#data;
    const start = this.#at;
    while (this.#at < data.length && data[this.#at] !== COMMA && data[this.#at] !== LINE_FEED) this.#at++;
    const isLast = data[this.#at] !== COMMA;
    if (isLast && this.#at > start && data[this.#at - 1] === RETURN) this.#at--;
    return data.toString('utf8', start, this.#at);
  }

  #quotedCell(): string {
    const data = this.#data;
    let text = '';
    let start = ++this.#at;
    for (;;) {
      const quote = data.indexOf(QUOTE, this.#at);
      const end = quote === -1 ? data.length : quote;
      text += data.toString('utf8', start, end);
      this.#at = end + 1;
      if (data[this.#at] !== QUOTE) break;
      start = this.#at++; // of two quotes the second stands for itself
    }
    // What follows a quote is no part of any cell.
    while (this.#at < data.length && data[this.#at] !== COMMA && data[this.#at] !== LINE_FEED && data[this.#at] !== RETURN)
      this.#at++;
    return text;
  }
}

const LONG: ReadonlySet<string> = new Set(['device', 'metric', 'time', 'value', 'text', 'flag']);

/** NaN is nothing, as in binary formats. */
function valueOf(cell: string): unknown {
  if (NUMBER.test(cell)) return Number(cell);
  const word = cell.toLowerCase();
  if (word === 'true' || word === 'false') return word === 'true';
  return word === 'nan' ? null : readCell(cell);
}

function timeOf(cell: string): number | undefined | Error {
  if (cell === '') return undefined;
  if (MS.test(cell)) return Number(cell);
  const [, day, clock = '00:00', zone = 'Z'] = ISO.exec(cell) ?? [];
  const timeMs = day === undefined ? Number.NaN : Date.parse(`${day}T${clock}${/^[+-]\d\d$/.test(zone) ? `${zone}:00` : zone}`);
  return Number.isNaN(timeMs) ? new Error(`"${cell.slice(0, 40)}" is no time: ISO 8601, or ms since 1970`) : timeMs;
}

function invalid(message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field: 'header' } });
}
