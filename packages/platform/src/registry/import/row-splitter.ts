import { MAX_ROW_BYTES } from './device-import.ts';

const LINE_FEED = 0x0a;
const QUOTE = 0x22;

/** Bytes of one row, its line end included. */
export interface RowBytes {
  readonly start: number;
  readonly end: number;
  /** Only the beginning of it is known: it is longer than a row may be. */
  readonly isTooLong?: boolean;
}

/** How rows end: at a line feed, in CSV (RFC 4180) not at one within quotes. */
export type RowForm = { readonly format: 'jsonl' } | { readonly format: 'csv'; readonly delimiter: number };

/**
 * The row that begins at `start`; undefined when its end is not in the bytes.
 *
 * A row longer than 64 KB is cut off after its first line: if a quote is what made it so long, the rows after it are
 * themselves again. Cost: each byte is looked at once.
 *
 * @param isLast nothing follows these bytes: the last row may lack its line end.
 */
export function nextRow(bytes: Uint8Array, start: number, form: RowForm, isLast: boolean): RowBytes | undefined {
  const limit = Math.min(bytes.length, start + MAX_ROW_BYTES);
  const end = form.format === 'jsonl' ? lineEnd(bytes, start, limit) : recordEnd(bytes, start, limit, form.delimiter);
  if (end !== undefined) return { start, end };
  if (limit - start === MAX_ROW_BYTES) {
    const line = bytes.indexOf(LINE_FEED, start);
    return { start, end: line === -1 ? bytes.length : line + 1, isTooLong: true };
  }
  return isLast && start < bytes.length ? { start, end: bytes.length } : undefined;
}

/** Where the line ends that `start` is in; undefined: not in these bytes. */
export function lineEnd(bytes: Uint8Array, start: number, limit = bytes.length): number | undefined {
  const at = bytes.subarray(start, limit).indexOf(LINE_FEED);
  return at === -1 ? undefined : start + at + 1;
}

/** A field is quoted only if a quote begins it; within, two quotes are one. */
function recordEnd(bytes: Uint8Array, start: number, limit: number, delimiter: number): number | undefined {
  let isFieldStart = true;
  let at = start;
  while (at < limit) {
    const byte = bytes[at];
    if (byte === LINE_FEED) return at + 1;
    if (isFieldStart && byte === QUOTE) {
      at += 1;
      for (;;) {
        while (at < limit && bytes[at] !== QUOTE) at += 1;
        if (at >= limit) return undefined;
        at += 1;
        if (bytes[at] !== QUOTE) break;
        at += 1;
      }
      isFieldStart = false;
    } else {
      isFieldStart = byte === delimiter;
      at += 1;
    }
  }
  return undefined;
}
