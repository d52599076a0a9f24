import { parse } from 'csv-parse/sync';
import { isSelsynError, SelsynError } from '../kernel/errors.ts';
import { nextRow, type RowForm } from '../registry/import/row-splitter.ts';
import { isObject } from '../registry/device-attributes.ts';
import { MANIFEST_FIELDS, readManifestRow, type ManifestField, type ManifestRow } from './manifest-row.ts';

export const MANIFEST_FORMATS = ['csv', 'jsonl'] as const;
export type ManifestFormat = (typeof MANIFEST_FORMATS)[number];

/** A row that cannot be taken, and why. */
export interface RefusedManifestRow {
  /** The first row after the header, or the first line of JSON Lines, is 1. */
  readonly row: number;
  readonly serial?: string;
  readonly reason: string;
}

export interface NumberedRow {
  readonly row: number;
  readonly entry: ManifestRow;
}

export type ReadRow = NumberedRow | RefusedManifestRow;

const ROWS_PER_BATCH = 1_000;
const MAX_SHOWN = 128;
const UTF8 = new TextDecoder('utf-8', { fatal: true });
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * Reads a manifest as it comes, up to a thousand rows at a time; memory is that of these, however long the file.
 *
 * CSV (RFC 4180; comma, semicolon or tab): the first line names the columns, `serial,batch,keyHash,hmac`, of which only serial must be
 * there. JSON Lines: objects with these fields.
 *
 * @throws SelsynError `request.invalid` for a first line that is none: nothing was read then
 */
export async function* readManifest(
  chunks: AsyncIterable<Uint8Array>,
  format: ManifestFormat,
  defaultBatch?: string,
): AsyncGenerator<readonly ReadRow[]> {
  const lines = new Lines(format);
  let batch: ReadRow[] = [];
  for await (const row of lines.of(chunks)) {
    const read = row.isTooLong
      ? refused(row.number, undefined, 'the row is longer than 64 KB')
      : readRow(row, lines, defaultBatch);
    if (read === undefined) continue;
    batch.push(read);
    if (batch.length < ROWS_PER_BATCH) continue;
    yield batch;
    batch = [];
  }
  lines.ensureHeader();
  if (batch.length > 0) yield batch;
}

export function isRefusedRow(row: ReadRow): row is RefusedManifestRow {
  return 'reason' in row;
}

interface Line {
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly isTooLong: boolean;
}

interface Header {
  readonly delimiter: string;
  readonly fields: readonly ManifestField[];
}

/** Cuts what comes into rows, and reads the header on the way. */
class Lines {
  readonly #format: ManifestFormat;
  header: Header | undefined;

  constructor(format: ManifestFormat) {
    this.#format = format;
  }

  /** @throws SelsynError `request.invalid` */
  ensureHeader(): void {
    if (this.#format === 'csv' && this.header === undefined) throw invalidHeader('the file is empty');
  }

  async *of(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
    let rest: Uint8Array = new Uint8Array();
    let number = 0;
    let isFirst = true;
    const rows = function* (this: Lines, isLast: boolean): Generator<Line> {
      let position = 0;
      for (;;) {
        const form: RowForm =
          this.#format === 'jsonl'
            ? { format: 'jsonl' }
            : { format: 'csv', delimiter: (this.header?.delimiter ?? ',').charCodeAt(0) };
        const row = nextRow(rest, position, form, isLast);
        if (row === undefined) break;
        position = row.end;
        const bytes = rest.subarray(row.start, row.end);
        if (this.#format === 'csv' && this.header === undefined) this.header = readHeader(bytes);
        else yield { number: ++number, bytes, isTooLong: row.isTooLong === true };
      }
      rest = rest.subarray(position);
    }.bind(this);
    for await (const chunk of chunks) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      if (isFirst && rest.length >= BYTE_ORDER_MARK.length) {
        isFirst = false;
        if (BYTE_ORDER_MARK.equals(rest.subarray(0, BYTE_ORDER_MARK.length))) rest = rest.subarray(BYTE_ORDER_MARK.length);
      }
      yield* rows(false);
    }
    yield* rows(true);
  }
}

/** Undefined: an empty line. */
function readRow({ number, bytes }: Line, { header }: Lines, defaultBatch: string | undefined): ReadRow | undefined {
  let raw: Readonly<Record<string, unknown>> = {};
  try {
    const text = textOf(bytes);
    if (text === undefined) return refused(number, undefined, 'the row is not UTF-8');
    if (text.trim() === '') return undefined;
    raw = header === undefined ? readJsonLine(text) : readCsvLine(text, header);
    return { row: number, entry: readManifestRow(raw, defaultBatch) };
  } catch (error) {
    if (isSelsynError(error)) return refused(number, raw['serial'], error.message);
    throw error;
  }
}

/** Without its line end; undefined: it is not UTF-8. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes).replace(/\r?\n$/, '');
  } catch {
    return undefined;
  }
}

function readJsonLine(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SelsynError('request.invalid', 'the line is not JSON', { cause: error });
  }
  if (isObject(value)) return value;
  throw new SelsynError('request.invalid', 'the line is no JSON object');
}

function readCsvLine(text: string, { delimiter, fields }: Header): Readonly<Record<string, unknown>> {
  const cells = cellsOf(text, delimiter);
  if (cells.length !== fields.length)
    throw new SelsynError('request.invalid', `the row has ${cells.length} cells, the first line has ${fields.length}`);
  return Object.fromEntries(fields.map((field, index) => [field, cells[index]]));
}

function readHeader(bytes: Uint8Array): Header {
  const line = textOf(bytes);
  if (line === undefined) throw invalidHeader('the file is not UTF-8');
  const delimiter = [',', ';', '\t'].find((each) => line.includes(each)) ?? ',';
  const names = cellsOf(line, delimiter).map((name) => name.trim());
  const known: readonly string[] = MANIFEST_FIELDS;
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw invalidHeader(
      `the column "${unknown.slice(0, MAX_SHOWN)}" is none of ${MANIFEST_FIELDS.join(', ')}: the first line names the columns`,
    );
  if (new Set(names).size !== names.length) throw invalidHeader('a column stands there twice');
  if (!names.includes('serial')) throw invalidHeader('no column is named serial');
  return { delimiter, fields: names as ManifestField[] };
}

function cellsOf(line: string, delimiter: string): readonly string[] {
  // Most rows have no quotes, and a parser for each of a million rows would take a minute.
  if (!line.includes('"')) return line.split(delimiter);
  try {
    return parse(line, { delimiter, relax_column_count: true })[0] ?? [];
  } catch (error) {
    throw new SelsynError('request.invalid', 'the row is not CSV: a quote stands where none may be, or one is not closed', {
      cause: error,
    });
  }
}

function refused(row: number, serial: unknown, reason: string): RefusedManifestRow {
  return {
    row,
    ...(typeof serial === 'string' && serial !== '' && { serial: serial.slice(0, MAX_SHOWN) }),
    reason: reason.slice(0, 300),
  };
}

function invalidHeader(message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field: 'header' } });
}
