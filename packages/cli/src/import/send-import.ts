import type { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import type { ImportSource } from './import-source.ts';

/** An import as the server tells of it. */
export interface ImportItem {
  readonly id: string;
  readonly state: 'open' | 'done';
  readonly format: 'csv' | 'jsonl';
  readonly mode: string;
  readonly dryRun: boolean;
  readonly name?: string;
  readonly sizeBytes?: number;
  readonly fingerprint?: string;
  readonly position: number;
  readonly rows: number;
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly refused: number;
  readonly createdAtMs: number;
}

export interface RefusedItem {
  readonly row: number;
  readonly deviceId?: string;
  readonly field?: string;
  readonly code: string;
  readonly reason: string;
}

const PART_BYTES = 512 * 1024;
const FIRST_WAIT_MS = 250;
const MAX_WAIT_MS = 5000;
/** A server that restarts is back by then. */
export const PATIENCE_MS = 120_000;

export interface SendOptions {
  readonly client: Pick<ApiClient, 'get' | 'postBytes'>;
  readonly source: Pick<ImportSource, 'part'>;
  readonly begun: ImportItem;
  readonly onProgress: (now: ImportItem) => void;
  /** Told once for each time that the server does not answer. */
  readonly onWaiting: (error: Error) => void;
  readonly wait: (ms: number) => Promise<void>;
  readonly patienceMs?: number;
}

/**
 * Sends the rest of the content, part by part, and goes on after a server that was away: it tells where.
 *
 * @throws CliError when the server refuses, or stays away
 */
export async function sendImport({
  client,
  source,
  begun,
  onProgress,
  onWaiting,
  wait,
  patienceMs = PATIENCE_MS,
}: SendOptions): Promise<ImportItem> {
  let now = begun;
  let waitMs = FIRST_WAIT_MS;
  let waitedMs = 0;
  while (now.state !== 'done') {
    const { bytes, isLast } = await source.part(now.position, PART_BYTES);
    try {
      const query = { offset: now.position, last: String(isLast) };
      const type = now.format === 'csv' ? 'text/csv' : 'application/x-ndjson';
      now = await client.postBytes<ImportItem>(`/device-imports/${now.id}/rows`, query, bytes, type);
      waitMs = FIRST_WAIT_MS;
      waitedMs = 0;
    } catch (error) {
      if (!mayPass(error)) throw error;
      if (waitedMs >= patienceMs) throw new CliError(`${error.message}; given up after ${Math.round(patienceMs / 1000)} s`);
      if (waitedMs === 0) onWaiting(error);
      await wait(waitMs);
      waitedMs += waitMs;
      waitMs = Math.min(MAX_WAIT_MS, waitMs * 2);
      now = (await whereIs(client, now)) ?? now;
    }
    onProgress(now);
  }
  return now;
}

/** Undefined while it cannot be told. */
async function whereIs(client: SendOptions['client'], { id }: ImportItem): Promise<ImportItem | undefined> {
  try {
    return await client.get<ImportItem>(`/device-imports/${id}`);
  } catch (error) {
    if (mayPass(error)) return undefined;
    throw error;
  }
}

/** The part before is still being taken, or the server is away for a while. */
function mayPass(error: unknown): error is CliError {
  return error instanceof CliError && (error.retryable || error.code === 'import.busy' || error.code === 'import.wrong-position');
}
