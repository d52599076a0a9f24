import { parse } from 'csv-parse/sync';
import { SelsynError } from '../../kernel/errors.ts';
import { ATTRIBUTE_NAME, isObject, type AttributeValue } from '../device-attributes.ts';
import { readCell, readTagsCell, readTextCell } from './cell.ts';
import type { Column, CsvHeader } from './csv-header.ts';
import { MAX_ROW_BYTES, type RefusedRow } from './device-import.ts';
import { readRawRow, refusedRow, type ImportRow, type RawRow } from './import-row.ts';
import type { RowBytes } from './row-splitter.ts';

/** Rows as they came: their bytes, and the number of the first. */
export interface RowBatch {
  readonly bytes: Uint8Array;
  readonly rows: readonly RowBytes[];
  readonly firstRow: number;
}

type ReadRow = ImportRow | RefusedRow;

/** Lines of JSON (https://jsonlines.org). Empty lines are left out. */
export function readJsonRows({ bytes, rows, firstRow }: RowBatch): readonly ReadRow[] {
  return rows.flatMap((row, index) => {
    const number = firstRow + index;
    const text = textOf(bytes, row);
    if (typeof text !== 'string') return refusedRow(number, undefined, text);
    if (text.trim() === '') return [];
    try {
      const value: unknown = JSON.parse(text);
      if (isObject(value)) return readRawRow(number, value);
    } catch (error) {
      return refusedRow(number, undefined, invalid('the line is not JSON', error));
    }
    return refusedRow(number, undefined, invalid('the line is no JSON object'));
  });
}

/** Rows of CSV. Empty lines are left out. */
export function readCsvRows(batch: RowBatch, header: CsvHeader): readonly ReadRow[] {
  const { bytes, rows, firstRow } = batch;
  const together = allRecords(batch, header);
  return rows.flatMap((row, index) => {
    const number = firstRow + index;
    const cells = together?.[index] ?? oneRecord(bytes, row, header);
    if (cells instanceof SelsynError) return refusedRow(number, undefined, cells);
    if (cells.every((cell) => cell.trim() === '')) return [];
    const expected = header.columns.length;
    if (cells.length !== expected) {
      const id = cells[header.columns.findIndex(({ kind }) => kind === 'id')];
      return refusedRow(number, id, invalid(`the row has ${cells.length} cells, the first line has ${expected}`));
    }
    try {
      return readRawRow(number, rawOf(cells, header.columns));
    } catch (error) {
      return refusedRow(number, cells[header.columns.findIndex(({ kind }) => kind === 'id')], error);
    }
  });
}

/** All rows in one run of the parser; undefined when one of them is not as it should be: then each is tried alone. */
function allRecords({ bytes, rows }: RowBatch, header: CsvHeader): readonly string[][] | undefined {
  const [first, last] = [rows[0], rows.at(-1)];
  if (first === undefined || last === undefined || rows.some(({ isTooLong }) => isTooLong === true)) return undefined;
  const text = textOf(bytes, { start: first.start, end: last.end });
  if (typeof text !== 'string') return undefined;
  try {
    const records = parse(text, csvOptions(header));
    return records.length === rows.length ? records : undefined;
  } catch {
    // The parser has no error class that could be told from others: the row that it does not like is found below.
    return undefined;
  }
}

function oneRecord(bytes: Uint8Array, row: RowBytes, header: CsvHeader): readonly string[] | SelsynError {
  const text = textOf(bytes, row);
  if (typeof text !== 'string') return text;
  try {
    return parse(text, csvOptions(header))[0] ?? [];
  } catch (error) {
    return invalid('the row is not CSV: a quote stands where none may be, or one is not closed', error);
  }
}

function csvOptions({ delimiter }: CsvHeader) {
  return { delimiter, relax_column_count: true, record_delimiter: ['\r\n', '\n'] };
}

function rawOf(cells: readonly string[], columns: readonly Column[]): RawRow {
  const raw: Record<string, unknown> = {};
  let attributes: Nested | undefined;
  columns.forEach((column, index) => {
    const cell = cells[index]?.trim() ?? '';
    if (cell === '') return;
    switch (column.kind) {
      case 'attribute': {
        const value = column.isText ? readTextCell(cell) : readCell(cell);
        if (value !== undefined) put((attributes ??= newNested()), column.path, value);
        return;
      }
      case 'attributes': {
        const value = readCell(cell);
        if (!isObject(value)) throw invalid('the attributes are no JSON object', undefined, 'attributes');
        attributes ??= newNested();
        for (const [path, leaf] of leavesOf(value)) put(attributes, path, leaf);
        return;
      }
      case 'tags':
        raw['tags'] = readTagsCell(cell);
        return;
      case 'name':
        raw['name'] = readTextCell(cell);
        return;
      default:
        raw[column.kind] = cell;
    }
  });
  return attributes === undefined ? raw : { ...raw, attributes };
}

/** Without a prototype: an attribute may have any name. */
interface Nested {
  [name: string]: AttributeValue | Nested;
}

function newNested(): Nested {
  return Object.create(null) as Nested;
}

function put(target: Nested, path: readonly string[], value: AttributeValue): void {
  const name = path.at(-1);
  if (name === undefined) return;
  let place = target;
  for (const step of path.slice(0, -1)) {
    const next = (place[step] ??= newNested());
    if (!isObject(next)) throw taken(path);
    place = next;
  }
  if (place[name] !== undefined) throw taken(path);
  place[name] = value;
}

function taken(path: readonly string[]): SelsynError {
  return invalid(`the attribute ${path.join('.')} is in two columns`, undefined, 'attributes');
}

/** The values of an object by their paths; an object without any is a value itself. */
function* leavesOf(
  value: Readonly<Record<string, AttributeValue>>,
  path: readonly string[] = [],
): Generator<[readonly string[], AttributeValue]> {
  for (const [name, item] of Object.entries(value)) {
    const at = [...path, name];
    // Names are checked with the whole; what is too deep is told there.
    if (isObject(item) && Object.keys(item).length > 0 && ATTRIBUTE_NAME.test(name) && at.length < 16) yield* leavesOf(item, at);
    else yield [at, item];
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(bytes: Uint8Array, { start, end, isTooLong }: RowBytes): string | SelsynError {
  if (isTooLong === true) {
    return invalid(`the row is longer than ${MAX_ROW_BYTES / 1024} KB; is a quote not closed?`);
  }
  try {
    return UTF8.decode(bytes.subarray(start, end));
  } catch (error) {
    return invalid('the row is not UTF-8; spreadsheets offer "CSV UTF-8" when they save', error);
  }
}

function invalid(message: string, cause?: unknown, field?: string): SelsynError {
  return new SelsynError('request.invalid', message, { cause, ...(field !== undefined && { details: { field } }) });
}
