import type { StateDatabase } from '../../database/schema.ts';
import { BLOCK_BYTES, BLOCK_DEVICES, DeviceSet } from '../../registry/index/device-set.ts';

const BLOCKS_PER_STATEMENT = 100;

/** Fixes whom an update is for, by their numbers: a million devices are 62 rows of 2.7 KB. */
export async function writeMembers(database: StateDatabase, update: string, members: DeviceSet): Promise<void> {
  const rows = [...members.blocks].map(([block, bits]) => ({
    update_id: update,
    block,
    bits: Buffer.from(bits).toString('base64'),
  }));
  for (let start = 0; start < rows.length; start += BLOCKS_PER_STATEMENT) {
    await database
      .insertInto('shadow_update_block')
      .values(rows.slice(start, start + BLOCKS_PER_STATEMENT))
      .execute();
  }
}

/** The next of them, ascending; fewer than `limit` where there are no more. */
export async function nextMembers(
  database: StateDatabase,
  update: string,
  after: number,
  limit: number,
): Promise<readonly number[]> {
  const numbers: number[] = [];
  for (let from = Math.floor((after + 1) / BLOCK_DEVICES); numbers.length < limit;) {
    const row = await database
      .selectFrom('shadow_update_block')
      .select(['block', 'bits'])
      .where('update_id', '=', update)
      .where('block', '>=', from)
      .orderBy('block')
      .limit(1)
      .executeTakeFirst();
    if (row === undefined) break;
    const bits = new Uint8Array(BLOCK_BYTES);
    bits.set(Buffer.from(row.bits, 'base64'));
    const set = new DeviceSet();
    set.addBlock(Number(row.block), bits);
    numbers.push(...set.take(limit - numbers.length, after));
    from = Number(row.block) + 1;
  }
  return numbers;
}

export async function dropMembers(database: StateDatabase, update: string): Promise<void> {
  await database.deleteFrom('shadow_update_block').where('update_id', '=', update).execute();
}
