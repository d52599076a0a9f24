export type RowFormat = 'csv' | 'jsonl';

/** The last point that a file of rows has. */
export type RowPlace = readonly [device: string, metric: string, timeMs: number];

const LINE_FEED = 0x0a;
const QUOTE = 0x22;

/**
 * Where the last whole row of some bytes ends, and how many rows that are; the bytes begin with a row. In CSV a line feed within quotes
 * ends no row.
 */
export function wholeRows(bytes: Uint8Array, format: RowFormat): { readonly end: number; readonly rows: number } {
  let end = 0;
  let rows = 0;
  let quoted = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE && format === 'csv') quoted = !quoted;
    else if (byte === LINE_FEED && !quoted) {
      end = at + 1;
      rows++;
    }
  }
  return { end, rows };
}

/** The beginning of the last of some whole rows. */
export function lastRow(bytes: Uint8Array, format: RowFormat): Uint8Array {
  return bytes.subarray(wholeRows(bytes.subarray(0, -1), format).end);
}

/** The point of a row as an export writes it; undefined for the line that names the columns. */
export function placeOfRow(row: string, format: RowFormat): RowPlace | undefined {
  if (format === 'jsonl') {
    const { device, metric, ts } = JSON.parse(row) as { readonly device: string; readonly metric: string; readonly ts: number };
    return [device, metric, ts];
  }
  const [device = '', metric = '', time = ''] = [...row.matchAll(/(?:^|,)("(?:[^"]|"")*"|[^,\r\n]*)/g)].map(([, cell = '']) =>
    cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell,
  );
  const timeMs = Date.parse(time);
  if (Number.isNaN(timeMs)) return undefined;
  return [device, textOfCell(metric), timeMs];
}

/** A text that could be taken for something else stands there as JSON. */
function textOfCell(cell: string): string {
  if (!cell.startsWith('"')) return cell;
  try {
    const text: unknown = JSON.parse(cell);
    return typeof text === 'string' ? text : cell;
  } catch {
    // A quote is how it begins.
    return cell;
  }
}

/** Counts the rows and the devices of a download as it comes. */
export class RowCounter {
  rows = 0;
  devices = 0;
  readonly #format: RowFormat;
  /** The beginning of a row whose end has not come. */
  #rest: Uint8Array = new Uint8Array();
  #device: Uint8Array = new Uint8Array();

  constructor(format: RowFormat) {
    this.#format = format;
  }

  add(chunk: Uint8Array): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let start = 0;
    let quoted = false;
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] === QUOTE && this.#format === 'csv') quoted = !quoted;
      else if (bytes[at] === LINE_FEED && !quoted) {
        this.#count(bytes.subarray(start, at));
        start = at + 1;
      }
    }
    this.#rest = bytes.slice(start);
  }

  #count(row: Uint8Array): void {
    this.rows++;
    const [skipped, end] = this.#format === 'csv' ? [0, COMMA] : [JSON_START.length, QUOTE];
    const device = this.#device;
    if (device.length > 0 && row[skipped + device.length] === end && device.every((byte, at) => row[skipped + at] === byte))
      return;
    this.#device = row.slice(skipped, row.indexOf(end, skipped));
    this.devices++;
  }
}

const COMMA = 0x2c;
const JSON_START = '{"device":"';
