import type { Database } from '../../database/schema.ts';
import { decodeBlock, encodeBlock } from './block-codec.ts';
import { BLOCK_BYTES, clearFrom, orInto, type DeviceSet } from './device-set.ts';
import { keyOf, type Term } from './term.ts';

/** Which devices came to a term, and which left it. */
export interface PostingChange {
  readonly term: Term;
  /** None of them has it already. */
  readonly added: DeviceSet;
  /** All of them have it. */
  readonly removed: DeviceSet;
}

/** Blocks that a term may have: room for 17 billion devices, and 8 billion terms in the integers that JavaScript has. */
export const SLOTS_OF_TERM = 2 ** 20;
const TERMS_PER_STATEMENT = 100;
const SLOTS_PER_STATEMENT = 200;

/**
 * Writes postings: in the transaction of the change to the devices, so that neither is there without the other.
 *
 * Cost: three statements for a hundred terms; for each block that changes, 2 KB at most.
 */
export async function changePostings(transaction: Database, changes: readonly PostingChange[]): Promise<void> {
  const blocks = new Map<number, BlockChange>();
  const emptied: number[] = [];
  for (let start = 0; start < changes.length; start += TERMS_PER_STATEMENT) {
    const some = changes.slice(start, start + TERMS_PER_STATEMENT);
    const ids = await countTerms(transaction, some);
    for (const { term, added, removed } of some) {
      const row = ids.get(keyOf(term));
      if (row === undefined) continue;
      if (row.devices <= 0) emptied.push(row.id);
      const first = row.id * SLOTS_OF_TERM;
      for (const [at, bits] of added.blocks) blocks.set(first + at, { ...blocks.get(first + at), added: bits });
      for (const [at, bits] of removed.blocks) blocks.set(first + at, { ...blocks.get(first + at), removed: bits });
    }
  }
  const slots = [...blocks].sort(([a], [b]) => a - b);
  for (let start = 0; start < slots.length; start += SLOTS_PER_STATEMENT) {
    await changeBlocks(transaction, new Map(slots.slice(start, start + SLOTS_PER_STATEMENT)));
  }
  if (emptied.length > 0) {
    for (let start = 0; start < emptied.length; start += SLOTS_PER_STATEMENT) {
      const some = emptied.slice(start, start + SLOTS_PER_STATEMENT);
      await transaction.deleteFrom('device_term').where('id', 'in', some).where('devices', '<=', 0).execute();
    }
  }
}

interface BlockChange {
  readonly added?: Uint8Array<ArrayBuffer>;
  readonly removed?: Uint8Array<ArrayBuffer>;
}

/** Makes the terms that are new, and keeps count of the devices of all of them. */
async function countTerms(
  transaction: Database,
  changes: readonly PostingChange[],
): Promise<ReadonlyMap<string, { readonly id: number; readonly devices: number }>> {
  const rows = await transaction
    .insertInto('device_term')
    .values(
      changes.map(({ term, added, removed }) => ({
        field: term.field,
        kind: term.kind,
        text: term.text,
        number: term.number,
        natural_key: term.naturalKey,
        devices: added.count() - removed.count(),
      })),
    )
    .onConflict((conflict) =>
      conflict.columns(['field', 'kind', 'text']).doUpdateSet((builder) => ({
        devices: builder('device_term.devices', '+', builder.ref('excluded.devices')),
      })),
    )
    .returning(['id', 'field', 'kind', 'text', 'devices'])
    .execute();
  return new Map(
    rows.map(({ id, field, kind, text, devices }) => [
      `${field}\n${kind}\n${text}`,
      { id: Number(id), devices: Number(devices) },
    ]),
  );
}

async function changeBlocks(transaction: Database, changes: ReadonlyMap<number, BlockChange>): Promise<void> {
  const rows = await transaction
    .selectFrom('device_posting')
    .selectAll()
    .where('slot', 'in', [...changes.keys()])
    .execute();
  const before = new Map(rows.map(({ slot, bits }) => [Number(slot), decodeBlock(bits)]));
  const kept: { slot: number; bits: Uint8Array }[] = [];
  const empty: number[] = [];
  for (const [slot, { added, removed }] of changes) {
    const bits = before.get(slot) ?? new Uint8Array(BLOCK_BYTES);
    if (removed !== undefined) clearFrom(bits, removed);
    if (added !== undefined) orInto(bits, added);
    const stored = encodeBlock(bits);
    if (stored.length > 0) kept.push({ slot, bits: stored });
    else if (before.has(slot)) empty.push(slot);
  }
  if (kept.length > 0) {
    await transaction
      .insertInto('device_posting')
      .values(kept)
      .onConflict((conflict) => conflict.column('slot').doUpdateSet((builder) => ({ bits: builder.ref('excluded.bits') })))
      .execute();
  }
  if (empty.length > 0) await transaction.deleteFrom('device_posting').where('slot', 'in', empty).execute();
}
