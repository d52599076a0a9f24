import type { Database } from '../database/schema.ts';
import { DeviceSet } from './index/device-set.ts';
import { changePostings, type PostingChange } from './index/postings.ts';
import { devicesWith } from './index/read-postings.ts';
import { inGroup, underGroup } from './index/term.ts';

const NONE = new DeviceSet();
const IDS_PER_STATEMENT = 500;

/**
 * Lets the devices of a group that is moved be found below the groups above its new place, no longer below those above its
 * old one. O(devices / 4,096) for each group above; no device is read.
 *
 * @param lineages the ids of the groups above, the root first.
 */
export async function shiftPostings(
  transaction: Database,
  group: number,
  lineages: { readonly from: readonly number[]; readonly to: readonly number[] },
): Promise<void> {
  const devices = await devicesWith(transaction, underGroup(group));
  if (devices.isEmpty) return;
  const [old, now] = [new Set(lineages.from.slice(1)), new Set(lineages.to.slice(1))];
  await changePostings(transaction, [
    ...[...old].filter((id) => !now.has(id)).map((id) => ({ term: underGroup(id), added: NONE, removed: devices })),
    ...[...now].filter((id) => !old.has(id)).map((id) => ({ term: underGroup(id), added: devices, removed: NONE })),
  ]);
}

/** Puts all devices of a group, and of those below it, in the group above: these groups are going to be removed. */
export async function moveDevicesUp(
  transaction: Database,
  groups: { readonly self: number; readonly parent: number; readonly all: readonly number[] },
): Promise<void> {
  const devices = await devicesWith(transaction, underGroup(groups.self));
  if (devices.isEmpty) return;
  const changes: PostingChange[] = [{ term: inGroup(groups.parent), added: devices, removed: NONE }];
  for (const id of groups.all) {
    for (const term of [inGroup(id), underGroup(id)]) {
      const removed = await devicesWith(transaction, term);
      if (!removed.isEmpty) changes.push({ term, added: NONE, removed });
    }
  }
  await changePostings(transaction, changes);
  const numbers = devices.take(Number.MAX_SAFE_INTEGER);
  for (let start = 0; start < numbers.length; start += IDS_PER_STATEMENT) {
    await transaction
      .updateTable('device')
      .set({ group_id: groups.parent })
      .where('number', 'in', numbers.slice(start, start + IDS_PER_STATEMENT))
      .execute();
  }
}
