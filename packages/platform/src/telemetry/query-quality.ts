import { existsSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { DeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import { qualityPath } from './quality-schema.ts';
import type { QualityKind } from './quality-store.ts';
import { decodeQualityCursor, encodeQualityCursor } from './query-cursor.ts';
import type { PointValue } from './telemetry-queries.ts';

/** Points of a metric of a device that are stored, and look wrong. */
export interface QualityItem {
  readonly device: DeviceId;
  readonly metric: string;
  readonly kind: QualityKind;
  /** Such points so far. */
  readonly count: number;
  /** The time and value of the newest of them. */
  readonly lastMs: number;
  readonly lastValue: PointValue;
  /** `unknown-unit`: the unit that it came in. */
  readonly unit?: string;
}

export interface QualityQuery {
  readonly limit: number;
  readonly device?: DeviceId;
  readonly kind?: QualityKind;
  readonly cursor?: string;
}

const BUSY_TIMEOUT_MS = 250;

/** Reads beside its writer, which is a few seconds behind the points. */
export class QualityReader implements Disposable {
  readonly #telemetryDir: string;
  #database: DatabaseSync | undefined;

  constructor(options: { readonly telemetryDir: string }) {
    this.#telemetryDir = options.telemetryDir;
  }

  /** Those that were noted last come first. @throws SelsynError `request.invalid` for a cursor that is none, `telemetry.store-failed` */
  page(query: QualityQuery): { readonly items: readonly QualityItem[]; readonly cursor?: string } {
    const before = query.cursor === undefined ? undefined : decodeQualityCursor(query.cursor);
    let rows: readonly Record<string, unknown>[];
    try {
      rows = this.#rows(query, before);
    } catch (cause) {
      this[Symbol.dispose]();
      throw new SelsynError('telemetry.store-failed', 'what is wrong with points could not be read', { cause, retryable: true });
    }
    const items = rows.slice(0, query.limit);
    const last = items.at(-1);
    return {
      items: items.map(itemOf),
      ...(rows.length > query.limit &&
        last !== undefined && { cursor: encodeQualityCursor(Number(last['updated']), Number(last['id'])) }),
    };
  }

  [Symbol.dispose](): void {
    this.#database?.close();
    this.#database = undefined;
  }

  #rows(query: QualityQuery, before: readonly [updated: number, id: number] | undefined): readonly Record<string, unknown>[] {
    if (this.#database === undefined) {
      if (!existsSync(qualityPath(this.#telemetryDir))) return [];
      this.#database = new DatabaseSync(qualityPath(this.#telemetryDir), { readOnly: true });
      this.#database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    }
    // Its writer makes the file before the table.
    if (this.#database.prepare('PRAGMA user_version').get()?.['user_version'] === 0) return [];
    const conditions: string[] = [];
    const values: SQLInputValue[] = [];
    const where = (condition: string, ...given: SQLInputValue[]): void => {
      conditions.push(condition);
      values.push(...given);
    };
    if (query.device !== undefined) where('device = ?', query.device);
    if (query.kind !== undefined) where('kind = ?', query.kind);
    if (before !== undefined) where('(updated, id) < (?, ?)', ...before);
    const filter = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    const statement = this.#database.prepare(`SELECT * FROM quality ${filter} ORDER BY updated DESC, id DESC LIMIT ?`);
    return statement.all(...values, query.limit + 1);
  }
}

function itemOf(row: Record<string, unknown>): QualityItem {
  const unit = String(row['detail']);
  return {
    // What the writer stored as the device was a DeviceId, and as the kind one of its own.
    device: String(row['device']) as DeviceId,
    metric: String(row['metric']),
    kind: String(row['kind']) as QualityKind,
    count: Number(row['count']),
    lastMs: Number(row['last_ms']),
    lastValue: JSON.parse(String(row['last_value'])) as PointValue,
    ...(unit !== '' && { unit }),
  };
}
