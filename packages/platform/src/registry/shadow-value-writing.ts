import type { Database } from '../database/schema.ts';
import { PostingChanges } from './device-index.ts';
import { changePostings } from './index/postings.ts';
import { termsOfValues } from './shadow-values.ts';
import { chunksOf, ROWS_PER_STATEMENT } from './statement-chunks.ts';

/** What a device has in a field from now on. */
export interface IndexedChange {
  readonly device: string;
  /** That of the registry. */
  readonly fieldId: number;
  readonly value: string | null;
}

/**
 * Writes values, and lets devices be found by them. Of a device and a field there is one change at most.
 *
 * @returns the devices that are not there.
 */
export async function writeValues(transaction: Database, changes: readonly IndexedChange[]): Promise<ReadonlySet<string>> {
  const numbers = await numbersOf(transaction, new Set(changes.map(({ device }) => device)));
  const before = await valuesOf(transaction, changes, numbers);
  const postings = new PostingChanges();
  const kept: { field_id: number; number: number; value: string }[] = [];
  const gone = new Map<number, number[]>();
  const unknown = new Set<string>();
  for (const { device, fieldId, value } of changes) {
    const number = numbers.get(device);
    if (number === undefined) {
      unknown.add(device);
      continue;
    }
    const old = before.get(`${fieldId} ${number}`) ?? null;
    if (old === value) continue;
    postings.turned(number, termsOfValues(fieldId, old), termsOfValues(fieldId, value));
    if (value !== null) kept.push({ field_id: fieldId, number, value });
    else listIn(gone, fieldId).push(number);
  }
  for (let start = 0; start < kept.length; start += ROWS_PER_STATEMENT) {
    await transaction
      .insertInto('device_shadow_value')
      .values(kept.slice(start, start + ROWS_PER_STATEMENT))
      .onConflict((conflict) =>
        conflict.columns(['field_id', 'number']).doUpdateSet((row) => ({ value: row.ref('excluded.value') })),
      )
      .execute();
  }
  for (const [fieldId, each] of gone) {
    for (const some of chunksOf(each)) {
      await transaction.deleteFrom('device_shadow_value').where('field_id', '=', fieldId).where('number', 'in', some).execute();
    }
  }
  await changePostings(transaction, postings.changes());
  return unknown;
}

async function numbersOf(transaction: Database, devices: ReadonlySet<string>): Promise<ReadonlyMap<string, number>> {
  const numbers = new Map<string, number>();
  for (const some of chunksOf([...devices])) {
    const rows = await transaction.selectFrom('device').select(['id', 'number']).where('id', 'in', some).execute();
    for (const { id, number } of rows) numbers.set(id, Number(number));
  }
  return numbers;
}

async function valuesOf(
  transaction: Database,
  changes: readonly IndexedChange[],
  numbers: ReadonlyMap<string, number>,
): Promise<ReadonlyMap<string, string>> {
  const asked = new Map<number, number[]>();
  for (const { device, fieldId } of changes) {
    const number = numbers.get(device);
    if (number === undefined) continue;
    listIn(asked, fieldId).push(number);
  }
  const values = new Map<string, string>();
  for (const [fieldId, each] of asked) {
    for (const some of chunksOf(each)) {
      const rows = await transaction
        .selectFrom('device_shadow_value')
        .select(['number', 'value'])
        .where('field_id', '=', fieldId)
        .where('number', 'in', some)
        .execute();
      for (const { number, value } of rows) values.set(`${fieldId} ${Number(number)}`, value);
    }
  }
  return values;
}

/** What devices have that are not there yet waits for them; the newest value counts. */
export async function letWait(
  transaction: Database,
  changes: readonly IndexedChange[],
  unknown: ReadonlySet<string>,
  nowMs: number,
): Promise<void> {
  const waiting = await transaction.selectFrom('waiting_shadow_value').select('device_id').limit(1).execute();
  if (waiting.length > 0) await forgetWaiting(transaction, changes);
  const rows = changes.flatMap(({ device, fieldId, value }) =>
    value === null || !unknown.has(device) ? [] : [{ device_id: device, field_id: fieldId, value, at_ms: nowMs }],
  );
  for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
    await transaction
      .insertInto('waiting_shadow_value')
      .values(rows.slice(start, start + ROWS_PER_STATEMENT))
      .execute();
  }
}

export async function forgetWaiting(transaction: Database, changes: readonly IndexedChange[]): Promise<void> {
  const byField = new Map<number, string[]>();
  for (const { device, fieldId } of changes) listIn(byField, fieldId).push(device);
  for (const [fieldId, devices] of byField) {
    for (const some of chunksOf(devices)) {
      await transaction
        .deleteFrom('waiting_shadow_value')
        .where('field_id', '=', fieldId)
        .where('device_id', 'in', some)
        .execute();
    }
  }
}

function listIn<K, T>(lists: Map<K, T[]>, key: K): T[] {
  let list = lists.get(key);
  if (list === undefined) lists.set(key, (list = []));
  return list;
}
