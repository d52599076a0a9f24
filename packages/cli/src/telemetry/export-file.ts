import { open, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { get as httpsGet } from 'node:https';
import { CliError } from '../cli-error.ts';
import type { ProgressView } from '../import/import-progress.ts';
import type { ServerAddress } from '../server-address.ts';
import { lastRow, placeOfRow, RowCounter, type RowFormat, type RowPlace, wholeRows } from './row-cutter.ts';

export type ExportFormat = RowFormat | 'parquet';

export interface ExportQuery {
  readonly format: ExportFormat;
  readonly device?: string | undefined;
  readonly group?: string | undefined;
  readonly filter?: string | undefined;
  readonly metrics?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

const SCAN_BYTES = 1024 * 1024;
const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 10_000;
const PATIENCE_MS = 120_000;

/**
 * Downloads points to a file, which is there once it is whole. Until then it is `{path}.part`: where the connection breaks off, and where
 * an earlier run was broken off, the download goes on behind the last row that is there.
 *
 * @returns how many rows it has; of Parquet undefined
 * @throws CliError when the server refuses, or stays away
 */
export async function exportToFile(options: {
  readonly server: Pick<ServerAddress, 'url' | 'key'>;
  readonly query: ExportQuery;
  readonly path: string;
  readonly view: ProgressView;
  readonly note: (text: string) => void;
  readonly wait: (ms: number) => Promise<void>;
}): Promise<number | undefined> {
  const { server, query, path, view, note, wait } = options;
  const part = `${path}.part`;
  const facts = `${part}.json`;
  const asked = JSON.stringify({ url: server.url, query });
  const goesOn = query.format !== 'parquet' && (await readFile(facts, 'utf8').catch(() => '')) === asked;
  if (!goesOn) await rm(part, { force: true });
  await writeFile(facts, asked).catch((error: unknown) => {
    throw new CliError(`${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  });
  let waitedMs = 0;
  let waitMs = FIRST_WAIT_MS;
  for (;;) {
    const kept = query.format === 'parquet' ? NOTHING : await keptRows(part, query.format);
    if (kept.rows > 0 && waitedMs === 0) note(`going on after ${kept.rows.toLocaleString('en-US')} rows`);
    try {
      await download({ server, query, part, kept, view, note });
      break;
    } catch (error) {
      const after = query.format === 'parquet' ? NOTHING : await keptRows(part, query.format);
      if (after.bytes > kept.bytes) [waitedMs, waitMs] = [0, FIRST_WAIT_MS];
      if (!(error instanceof CliError) || !error.retryable || waitedMs >= PATIENCE_MS) {
        // There is nothing to go on from.
        if (after.rows === 0) for (const path of [part, facts]) await rm(path, { force: true });
        throw error;
      }
      if (waitedMs === 0) note(`${error.message}; waiting`);
      await wait(waitMs);
      waitedMs += waitMs;
      waitMs = Math.min(MAX_WAIT_MS, waitMs * 2);
    }
  }
  view.stop();
  const rows = query.format === 'parquet' ? undefined : (await keptRows(part, query.format)).rows;
  await rename(part, path);
  await rm(facts, { force: true });
  return rows;
}

/** What a file of rows has of a download. */
interface Kept {
  readonly bytes: number;
  readonly rows: number;
  /** Of the last row; undefined where there is none. */
  readonly place: RowPlace | undefined;
}

const NOTHING: Kept = { bytes: 0, rows: 0, place: undefined };

/** Looks through the file, and cuts off a row that has no end. */
async function keptRows(path: string, format: RowFormat): Promise<Kept> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size === 0) return NOTHING;
  let [bytes, rows] = [0, 0];
  let last: Uint8Array | undefined;
  const file = await open(path);
  try {
    let rest: Uint8Array = new Uint8Array();
    for (let at = 0; at < size;) {
      const chunk = new Uint8Array(SCAN_BYTES);
      const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
      if (bytesRead === 0) break;
      at += bytesRead;
      const held = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
      const whole = wholeRows(held, format);
      rows += whole.rows;
      bytes += whole.end;
      if (whole.rows > 0) last = lastRow(held.subarray(0, whole.end), format).slice();
      rest = held.subarray(whole.end);
    }
  } finally {
    await file.close();
  }
  await truncate(path, bytes);
  const place = last === undefined ? undefined : placeOfRow(Buffer.from(last).toString(), format);
  return { bytes, rows: format === 'csv' ? Math.max(0, rows - 1) : rows, place };
}

async function download(options: {
  readonly server: Pick<ServerAddress, 'url' | 'key'>;
  readonly query: ExportQuery;
  readonly part: string;
  readonly kept: Kept;
  readonly view: ProgressView;
  readonly note: (text: string) => void;
}): Promise<void> {
  const { server, query, part, kept, view, note } = options;
  const { format } = query;
  const answer = await ask(server, query, kept.place);
  const devices = Number(answer.headers['selsyn-devices'] ?? 0);
  if (devices === 0 && kept.place === undefined) note('there is no such device: the file is empty');
  const counter = format === 'parquet' ? undefined : new RowCounter(format);
  // A file of which only the header is there begins anew.
  const file = createWriteStream(part, { flags: kept.place === undefined ? 'w' : 'a' });
  let bytes = 0;
  try {
    await once(file, 'open');
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      counter?.add(chunk);
      if (!file.write(chunk)) await once(file, 'drain');
      if (counter === undefined)
        view.update({ bytes, ofBytes: Number(answer.headers['content-length'] ?? 0) || undefined, rows: 0 });
      // The last device is still coming.
      else
        view.update({ bytes: Math.max(0, counter.devices - 1), ofBytes: Math.max(1, devices), rows: kept.rows + counter.rows });
    }
    if (!answer.complete) throw new Error('the connection was closed');
  } catch (error) {
    throw new CliError(`the download broke off: ${error instanceof Error ? error.message : String(error)}`, undefined, true);
  } finally {
    file.end();
    await once(file, 'close').catch(() => undefined);
  }
}

/** The answer of the server, however long it takes: it may look for the first point for minutes. */
export async function ask(
  { url, key }: Pick<ServerAddress, 'url' | 'key'>,
  query: ExportQuery,
  after: RowPlace | undefined,
): Promise<IncomingMessage> {
  const address = new URL(`${url}/api/v1/telemetry-export`);
  for (const [name, value] of Object.entries(query) as [string, string | undefined][]) {
    if (value !== undefined) address.searchParams.set(name, value);
  }
  if (after !== undefined) address.searchParams.set('after', JSON.stringify(after));
  const get = address.protocol === 'https:' ? httpsGet : httpGet;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get(address, { headers: { authorization: `Bearer ${key}` } }, resolve).once('error', (error) =>
      reject(new CliError(`no answer from ${url} (${error.message})`, undefined, true)),
    );
  });
  if (answer.statusCode === 200) return answer;
  let text = '';
  for await (const chunk of answer as AsyncIterable<Buffer>) text += chunk.toString();
  const { detail = text, code }: { detail?: string; code?: string } = text.startsWith('{') ? (JSON.parse(text) as object) : {};
  throw new CliError(`${detail}${code === undefined ? '' : ` (${code})`}`, code, (answer.statusCode ?? 0) >= 502);
}
