import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { PostingChanges } from './device-index.ts';
import { connectivityTerms } from './device-terms.ts';
import { changePostings } from './index/postings.ts';
import { chunksOf } from './statement-chunks.ts';

/** A device came or went. */
export interface ConnectivityChange {
  readonly deviceId: DeviceId;
  readonly connected: boolean;
  readonly atMs: number;
  /** Why it went. */
  readonly reason?: string | undefined;
}

export interface Connectivity {
  readonly connected: boolean;
  /** When it came or went. */
  readonly sinceMs: number;
  /** When it was last there: for one that is connected, at least since then. */
  readonly lastSeenMs: number;
  /** Why it is gone: a reason of the broker, or {@link SERVER_ENDED}. Undefined: it is there, or nobody knows. */
  readonly goneReason: string | undefined;
}

/** The server ended, however it did, while the device was connected. */
export const SERVER_ENDED = 'server-ended';

const CONNECTED_TERMS = connectivityTerms({ connected: 1, last_seen_ms: 0 });
/** One transaction of this size holds the database for some 100 ms. */
const CHANGES_AT_ONCE = 5000;

/** Which devices are connected, and when they were last. Devices that the registry does not know are passed over. */
export class ConnectivityStore {
  readonly #database: Database;

  constructor(dependencies: { readonly database: Database }) {
    this.#database = dependencies.database;
  }

  /**
   * Writes changes, some thousands in a transaction: of each device only the last one counts. Their order is what says which
   * came later, not their times: clocks are set back. Cost: a row for each device that changed, and a few blocks of postings.
   */
  async record(changes: readonly ConnectivityChange[]): Promise<void> {
    const last = new Map<DeviceId, ConnectivityChange>();
    for (const change of changes) last.set(change.deviceId, change);
    const ids = [...last.keys()];
    for (let start = 0; start < ids.length; start += CHANGES_AT_ONCE) {
      await this.#recordSome(ids.slice(start, start + CHANGES_AT_ONCE), last);
    }
  }

  async #recordSome(ids: readonly DeviceId[], last: ReadonlyMap<DeviceId, ConnectivityChange>): Promise<void> {
    await inTransaction(this.#database, async (transaction) => {
      const postings = new PostingChanges();
      for (const some of chunksOf(ids)) {
        const before = await transaction
          .selectFrom('device')
          .leftJoin('device_connectivity', 'device_connectivity.device_id', 'device.id')
          .select(['device.id', 'device.number', 'connected', 'since_ms', 'last_seen_ms'])
          .where('device.id', 'in', some)
          .execute();
        const rows = before.flatMap((row) => {
          const change = last.get(row.id as DeviceId);
          if (change === undefined) return [];
          const number = Number(row.number);
          const was = row.connected === 1;
          const after = rowOf(row.id, number, change, was === change.connected ? row.since_ms : null);
          const { connected, last_seen_ms } = row;
          const old = connected === null || last_seen_ms === null ? [] : connectivityTerms({ connected, last_seen_ms });
          postings.turned(number, old, connectivityTerms(after));
          return [after];
        });
        await upsert(transaction, rows);
      }
      await changePostings(transaction, postings.changes());
    });
  }

  /** Those of the devices that were ever connected. */
  async of(ids: readonly DeviceId[]): Promise<ReadonlyMap<DeviceId, Connectivity>> {
    const found = new Map<DeviceId, Connectivity>();
    for (const some of chunksOf(ids)) {
      const rows = await this.#database.selectFrom('device_connectivity').selectAll().where('device_id', 'in', some).execute();
      for (const row of rows) {
        found.set(row.device_id as DeviceId, {
          connected: row.connected === 1,
          sinceMs: Number(row.since_ms),
          lastSeenMs: Number(row.last_seen_ms),
          goneReason: row.gone_reason ?? undefined,
        });
      }
    }
    return found;
  }

  /** At the start of the server nobody is connected, whatever the end of its last run left behind. @returns how many were. */
  async disconnectAll(atMs: number): Promise<number> {
    return await inTransaction(this.#database, async (transaction) => {
      const rows = await transaction
        .updateTable('device_connectivity')
        .set({ connected: 0, since_ms: atMs, last_seen_ms: atMs, gone_reason: SERVER_ENDED })
        .where('connected', '=', 1)
        .returning('number')
        .execute();
      const postings = new PostingChanges();
      const [before, after] = [CONNECTED_TERMS, connectivityTerms({ connected: 0, last_seen_ms: atMs })];
      for (const { number } of rows) postings.turned(Number(number), before, after);
      await changePostings(transaction, postings.changes());
      return rows.length;
    });
  }
}

function rowOf(id: string, number: number, change: ConnectivityChange, sinceMs: number | null) {
  return {
    device_id: id,
    number,
    connected: change.connected ? 1 : 0,
    since_ms: sinceMs ?? change.atMs,
    last_seen_ms: change.atMs,
    gone_reason: change.connected ? null : (change.reason ?? null),
  };
}

async function upsert(transaction: Database, rows: readonly ReturnType<typeof rowOf>[]): Promise<void> {
  if (rows.length === 0) return;
  await transaction
    .insertInto('device_connectivity')
    .values(rows)
    .onConflict((conflict) =>
      conflict.column('device_id').doUpdateSet((builder) => ({
        connected: builder.ref('excluded.connected'),
        since_ms: builder.ref('excluded.since_ms'),
        last_seen_ms: builder.ref('excluded.last_seen_ms'),
        gone_reason: builder.ref('excluded.gone_reason'),
      })),
    )
    .execute();
}
