import type { StateDatabase } from '../database/schema.ts';
import type { RegistryChange } from '../state/registry-changes.ts';
import type { ShadowDocument } from './shadow-document.ts';
import { decodeDocument, keyOf, pathsOf } from './shadow-row.ts';

/** Links of histories that one purge follows at a time. */
const HISTORY_STEP = 500;
/** Of one shadow: what is left ages. */
const MAX_HISTORY = 10_000;
/** Named shadows of a device whose deltas are sent because it subscribes to all of them. */
const MAX_NAMED = 1_000;

export interface PurgedShadow {
  readonly path: string;
  /** Undefined: it had been deleted. */
  readonly document: ShadowDocument | undefined;
}

/** Takes away the shadows of devices that are no more, with their history. Versions do not go on: another device may get the id. */
export async function purgeDevices(
  database: StateDatabase,
  removed: readonly RegistryChange[],
): Promise<readonly PurgedShadow[]> {
  const purged: PurgedShadow[] = [];
  for (const { device, atMs } of removed) {
    const { first, end } = pathsOf(device);
    const rows = await database
      .selectFrom('shadow')
      .selectAll()
      .where('path', '>=', first)
      .where('path', '<', end)
      .where('created_at_ms', '<=', atMs)
      .execute();
    if (rows.length === 0) continue;
    for (const row of rows) {
      purged.push({ path: row.path, document: decodeDocument(row) });
      await purgeHistory(database, Number(row.id), Number(row.history_id));
    }
    const ids = rows.map((row) => row.id);
    await database.deleteFrom('shadow').where('id', 'in', ids).execute();
  }
  return purged;
}

async function purgeHistory(database: StateDatabase, shadowId: number, newest: number): Promise<void> {
  let next = newest;
  const ids: number[] = [];
  while (next > 0 && ids.length < MAX_HISTORY) {
    const row = await database
      .selectFrom('shadow_history')
      .select(['previous', 'shadow_id'])
      .where('id', '=', next)
      .executeTakeFirst();
    if (row === undefined || Number(row.shadow_id) !== shadowId) break;
    ids.push(next);
    next = Number(row.previous);
  }
  for (let start = 0; start < ids.length; start += HISTORY_STEP) {
    await database
      .deleteFrom('shadow_history')
      .where('id', 'in', ids.slice(start, start + HISTORY_STEP))
      .execute();
  }
}

/** The names of the named shadows of each of the devices. */
export async function shadowsOf(database: StateDatabase, devices: Iterable<string>): Promise<Map<string, Set<string>>> {
  const found = new Map<string, Set<string>>();
  for (const device of devices) {
    const { first, end } = pathsOf(device);
    const rows = await database
      .selectFrom('shadow')
      .select('path')
      .where('path', '>', first)
      .where('path', '<', end)
      .where('deleted_at_ms', 'is', null)
      .limit(MAX_NAMED)
      .execute();
    found.set(device, new Set(rows.map((row) => keyOf(row.path).shadow)));
  }
  return found;
}
