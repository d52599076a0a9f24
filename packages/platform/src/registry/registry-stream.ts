import type { Database } from '../database/schema.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import type { GroupFollower } from './group-store.ts';
import { ROWS_PER_STATEMENT } from './statement-chunks.ts';

/** A row of the stream. */
export interface RegistryRow {
  readonly sequence: number;
  readonly kind: 'put' | 'removed' | 'group';
  readonly subject: string;
  readonly movedTo: string | null;
  readonly atMs: number;
}

/** Adds devices to the stream, in the transaction that changes them. */
export async function noteDevices(
  transaction: Database,
  kind: 'put' | 'removed',
  devices: readonly DeviceId[],
  atMs: number,
): Promise<void> {
  for (let start = 0; start < devices.length; start += ROWS_PER_STATEMENT) {
    const rows = devices
      .slice(start, start + ROWS_PER_STATEMENT)
      .map((subject) => ({ kind, subject, moved_to: null, at_ms: atMs }));
    await transaction.insertInto('registry_change').values(rows).execute();
  }
}

/** A group was moved, or removed. */
export function groupsAreNoted(now: () => number): GroupFollower {
  return async (transaction, { from, to }) => {
    const row = { kind: 'group', subject: from, moved_to: to ?? null, at_ms: now() } as const;
    await transaction.insertInto('registry_change').values(row).execute();
  };
}

/** What came after `sequence`, in order. */
export async function readRegistryStream(database: Database, after: number, limit: number): Promise<readonly RegistryRow[]> {
  const rows = await database
    .selectFrom('registry_change')
    .selectAll()
    .where('sequence', '>', after)
    .orderBy('sequence')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    sequence: Number(row.sequence),
    kind: row.kind,
    subject: row.subject,
    movedTo: row.moved_to,
    atMs: Number(row.at_ms),
  }));
}

/** Whether it has this change: it is kept while it is the last one that was followed. */
export async function hasRegistryChange(database: Database, sequence: number): Promise<boolean> {
  const row = await database.selectFrom('registry_change').select('sequence').where('sequence', '=', sequence).executeTakeFirst();
  return row !== undefined;
}

/** The last change that there was; 0: none. */
export async function lastRegistryChange(database: Database): Promise<number> {
  const row = await database
    .selectFrom('registry_change')
    .select('sequence')
    .orderBy('sequence', 'desc')
    .limit(1)
    .executeTakeFirst();
  return Number(row?.sequence ?? 0);
}

/**
 * Forgets what everybody has followed, but for the very last of it, by which a backup of either database is known. In steps: after an
 * import there is much.
 */
export async function trimRegistryStream(database: Database, followedUpTo: number): Promise<void> {
  for (;;) {
    const some = database.selectFrom('registry_change').select('sequence').where('sequence', '<', followedUpTo);
    const { numDeletedRows } = await database
      .deleteFrom('registry_change')
      .where('sequence', 'in', some.orderBy('sequence').limit(ROWS_AT_ONCE))
      .executeTakeFirstOrThrow();
    if (Number(numDeletedRows) < ROWS_AT_ONCE) return;
    // The statements would keep the thread from everything else.
    await new Promise((resolve) => void setImmediate(resolve));
  }
}

const ROWS_AT_ONCE = 5_000;
