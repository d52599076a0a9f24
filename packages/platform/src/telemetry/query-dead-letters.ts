import { existsSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { DeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import { deadLettersPath, openDeadLettersForRead } from './dead-letter-schema.ts';
import { decodeDeadLetterCursor, encodeDeadLetterCursor } from './query-cursor.ts';
import type { DeadLetter } from './telemetry-queries.ts';

const COLUMNS = 'id, partition, "offset", arrival_ms, device, topic, code, reason, payload, payload_bytes';
const ALL = `SELECT ${COLUMNS} FROM dead_letter WHERE id < ? ORDER BY id DESC LIMIT ?`;
const OF_DEVICE = `SELECT ${COLUMNS} FROM dead_letter WHERE device = ? AND id < ? ORDER BY id DESC LIMIT ?`;
const BUSY_TIMEOUT_MS = 250;

type Row = [number, number, number, number, string, string, string, string, Uint8Array, number];

export interface DeadLetterPage {
  readonly items: readonly DeadLetter[];
  readonly cursor?: string;
}

/** Reads the dead letters beside their writer; before the first one there is no file. */
export class DeadLetterReader implements Disposable {
  readonly #telemetryDir: string;
  #open: { readonly database: DatabaseSync; readonly all: StatementSync; readonly ofDevice: StatementSync } | undefined;

  constructor(options: { readonly telemetryDir: string }) {
    this.#telemetryDir = options.telemetryDir;
  }

  /** @throws SelsynError `request.invalid`, `telemetry.store-failed` */
  page(query: { readonly limit: number; readonly device?: DeviceId; readonly cursor?: string }): DeadLetterPage {
    const beforeId = query.cursor === undefined ? Number.MAX_SAFE_INTEGER : decodeDeadLetterCursor(query.cursor);
    let rows: Row[];
    try {
      rows = this.#rows(beforeId, query.limit + 1, query.device);
    } catch (cause) {
      throw new SelsynError('telemetry.store-failed', 'the dead letters could not be read', { cause, retryable: true });
    }
    const items = rows.slice(0, query.limit);
    return {
      items: items.map(toDeadLetter),
      ...(rows.length > query.limit ? { cursor: encodeDeadLetterCursor(items[items.length - 1]![0]) } : {}),
    };
  }

  [Symbol.dispose](): void {
    this.#open?.database.close();
    this.#open = undefined;
  }

  #rows(beforeId: number, limit: number, device: DeviceId | undefined): Row[] {
    this.#open ??= openForRead(this.#telemetryDir);
    if (this.#open === undefined) return [];
    const { all, ofDevice } = this.#open;
    const rows = device === undefined ? all.all(beforeId, limit) : ofDevice.all(device, beforeId, limit);
    return rows as unknown as Row[];
  }
}

function openForRead(telemetryDir: string): { database: DatabaseSync; all: StatementSync; ofDevice: StatementSync } | undefined {
  if (!existsSync(deadLettersPath(telemetryDir))) return undefined;
  const database = openDeadLettersForRead(telemetryDir);
  try {
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    if (database.prepare('PRAGMA user_version').get()?.['user_version'] !== 0) {
      const all = database.prepare(ALL);
      const ofDevice = database.prepare(OF_DEVICE);
      all.setReturnArrays(true);
      ofDevice.setReturnArrays(true);
      return { database, all, ofDevice };
    }
  } catch (error) {
    database.close();
    throw error;
  }
  database.close();
  return undefined;
}

function toDeadLetter([, partition, offset, arrivalMs, device, topic, code, reason, payload, payloadBytes]: Row): DeadLetter {
  // What the writer stored as the device was a DeviceId.
  return { partition, offset, arrivalMs, device: device as DeviceId, topic, code, reason, payload, payloadBytes };
}
