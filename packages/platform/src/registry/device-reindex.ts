import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import { indexChanges, PostingChanges } from './device-index.ts';
import { readDevices, type StoredDevice } from './device-rows.ts';
import { connectivityTerms } from './device-terms.ts';
import { findGroups } from './group-tree.ts';
import { changePostings } from './index/postings.ts';
import { reindexShadowValues } from './shadow-term-store.ts';

/** Of the form of terms and postings: whoever changes it makes the next start put them together anew. */
const INDEX_VERSION = 1;
const DEVICES_AT_ONCE = 5000;

/**
 * Puts together anew by what devices are found, where that was done by an older version or never: after an update of the
 * program. In one transaction: some 20 s for a million devices, once.
 *
 * @returns how many devices there were; undefined when nothing was to be done.
 */
export async function reindexIfOld(database: Database): Promise<number | undefined> {
  const row = await database
    .selectFrom('registry_counter')
    .select('value')
    .where('name', '=', 'index-version')
    .executeTakeFirst();
  if (Number(row?.value) === INDEX_VERSION) return undefined;
  return await inTransaction(database, async (transaction) => {
    await transaction.deleteFrom('device_posting').execute();
    await transaction.deleteFrom('device_term').execute();
    let devices = 0;
    for (let last = -1; ;) {
      const rows = await transaction
        .selectFrom('device')
        .select('number')
        .where('number', '>', last)
        .orderBy('number')
        .limit(DEVICES_AT_ONCE)
        .execute();
      const numbers = rows.map(({ number }) => Number(number));
      const end = numbers.at(-1);
      if (end === undefined) break;
      await indexDevices(transaction, await readDevices(transaction, { numbers }));
      devices += numbers.length;
      last = end;
    }
    await indexConnectivity(transaction);
    await reindexShadowValues(transaction);
    await transaction.updateTable('registry_counter').set({ value: INDEX_VERSION }).where('name', '=', 'index-version').execute();
    return devices;
  });
}

async function indexDevices(transaction: Database, devices: readonly StoredDevice[]): Promise<void> {
  const places = await findGroups(transaction, new Set(devices.map(({ device }) => device.group)));
  await indexChanges(
    transaction,
    places,
    devices.map((after) => ({ after })),
  );
}

async function indexConnectivity(transaction: Database): Promise<void> {
  const rows = await transaction.selectFrom('device_connectivity').select(['number', 'connected', 'last_seen_ms']).execute();
  const changes = new PostingChanges();
  for (const row of rows) changes.turned(Number(row.number), [], connectivityTerms(row));
  await changePostings(transaction, changes.changes());
}
