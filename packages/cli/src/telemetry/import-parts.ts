import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ARCHIVE_LIMITS } from '@selsyn/platform/columnar/columnar-limits.ts';
import { openParquetFiles } from '@selsyn/platform/columnar/open-parquet-files.ts';
import type { ParquetFiles, SeriesPoints } from '@selsyn/platform/columnar/parquet-files.ts';
import { systemClock } from '@selsyn/platform/kernel/clock.ts';
import { isSelsynError } from '@selsyn/platform/kernel/errors.ts';
import { silentLogLines } from '@selsyn/platform/kernel/log-lines.ts';
import { jsonRows } from '@selsyn/platform/transfer/rows-text.ts';
import { CliError } from '../cli-error.ts';
import { ImportSource } from '../import/import-source.ts';
import { type RowFormat, wholeRows } from './row-cutter.ts';

/** What is sent at once. */
export interface ImportPart {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly type: 'text/csv' | 'application/x-ndjson';
  readonly rows: number;
  /** Where the file goes on behind it. */
  readonly position: number;
}

const PART_BYTES = 1024 * 1024;
/** A row that is longer is none. */
const MAX_ROW_BYTES = 8 * 1024 * 1024;
const PARQUET_ROWS = 20_000;

/** The rows of a file of text from a place on, in parts of whole rows; each part of CSV has the line that names the columns. */
export async function* textParts(file: string, format: RowFormat, from: number): AsyncGenerator<ImportPart> {
  const { size } = await stat(file);
  const header = format === 'csv' ? await headerOf(file) : new Uint8Array();
  let position = Math.max(from, header.length);
  // No rows: whether the columns are such that there could be any, the server tells.
  if (header.length > 0 && header.length === size) {
    yield { bytes: Uint8Array.from(header), type: 'text/csv', rows: 0, position };
    return;
  }
  const source = new ImportSource(createReadStream(file, { start: position }), position);
  for (let wanted = PART_BYTES; position < size;) {
    const { bytes, isLast } = await source.part(position, wanted);
    const { end, rows } = wholeRows(bytes, format);
    // The last row may lack its line feed.
    const taken = isLast ? bytes : bytes.subarray(0, end);
    if (taken.length === 0) {
      if (wanted >= MAX_ROW_BYTES)
        throw new CliError(`${file} has a row of more than ${MAX_ROW_BYTES} bytes, or a quote that is not closed`);
      wanted *= 4;
      continue;
    }
    wanted = PART_BYTES;
    position += taken.length;
    const body = new Uint8Array(header.length + taken.length);
    body.set(header);
    body.set(taken, header.length);
    yield {
      bytes: body,
      type: format === 'csv' ? 'text/csv' : 'application/x-ndjson',
      rows: rows + (isLast && end < bytes.length ? 1 : 0),
      position,
    };
  }
}

/** The rows of a Parquet file from a row on, in parts. @throws CliError for what is no such file */
export async function* parquetParts(file: string, fromRow: number): AsyncGenerator<ImportPart> {
  const scratchDir = await mkdtemp(join(tmpdir(), 'selsyn-import-'));
  // The process that reads it keeps nobody alive who waits for it.
  const alive = setInterval(() => undefined, 60_000);
  try {
    await using parquet = openParquetFiles({ limits: ARCHIVE_LIMITS, scratchDir, clock: systemClock, logLines: silentLogLines });
    let position = 0;
    let text = '';
    let rows = 0;
    const part = (): ImportPart => ({ bytes: new TextEncoder().encode(text), type: 'application/x-ndjson', rows, position });
    for await (const batch of batchesOf(parquet, file)) {
      for (const series of batch) {
        const count = series.times.length;
        const skipped = Math.min(count, Math.max(0, fromRow - position));
        position += count;
        if (skipped === count) continue;
        const { times, values } = series;
        const left = {
          ...series,
          times: times.subarray(skipped),
          values: values instanceof Float64Array ? values.subarray(skipped) : values.slice(skipped),
        };
        for (const piece of jsonRows([left])) text += piece;
        rows += count - skipped;
        if (rows < PARQUET_ROWS) continue;
        yield part();
        [text, rows] = ['', 0];
      }
    }
    if (rows > 0) yield part();
  } finally {
    clearInterval(alive);
    await rm(scratchDir, { recursive: true, force: true });
  }
}

async function* batchesOf(parquet: ParquetFiles, file: string): AsyncGenerator<readonly SeriesPoints[]> {
  try {
    yield* parquet.read(file);
  } catch (error) {
    if (!isSelsynError(error, 'columnar.failed')) throw error;
    // The lines below are of a query that nobody here has written.
    throw new CliError(`${file} cannot be read as Parquet: ${error.message.split('\n', 1)[0] ?? ''}`);
  }
}

/** The line that names the columns. */
async function headerOf(path: string): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const bytes = new Uint8Array(PART_BYTES);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    const end = bytes.subarray(0, bytesRead).indexOf(0x0a);
    if (end === -1) throw new CliError(`${path} has no line that names its columns, and rows below it`);
    return bytes.slice(0, end + 1);
  } finally {
    await file.close();
  }
}
