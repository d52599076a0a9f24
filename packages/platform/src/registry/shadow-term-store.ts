import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import { PostingChanges } from './device-index.ts';
import { changePostings, SLOTS_OF_TERM } from './index/postings.ts';
import type { Term } from './index/term.ts';
import { shadowTermField, termsOfValues } from './shadow-values.ts';
import { chunksOf } from './statement-chunks.ts';
import { forgetWaiting, letWait, writeValues, type IndexedChange } from './shadow-value-writing.ts';

/** A field as it was declared in the state. */
export interface DeclaredField {
  readonly stateId: number;
  readonly field: string;
  readonly createdAtMs: number;
}

/** What a device has in a field from now on. */
export interface ShadowValueChange {
  readonly device: string;
  /** That of the state. */
  readonly stateId: number;
  /** See shadow-values.ts. */
  readonly value: string | null;
}

const COUNTER = 'shadow-values';
/** A device that is not registered within this time is not going to be. */
const WAITING_MS = 3_600_000;
const WAITING_AT_ONCE = 500;
const TERMS_AT_ONCE = 200;
const VALUES_AT_ONCE = 5_000;

/**
 * What devices are found by that stands in their shadows. It is told of values in their order, and keeps up to where in the transaction
 * that changes the postings: none is missed, and one that is told again changes nothing.
 */
export class ShadowTermStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The sequence of the last values that were taken over. */
  async position(): Promise<number> {
    const row = await this.#database
      .selectFrom('registry_counter')
      .select('value')
      .where('name', '=', COUNTER)
      .executeTakeFirst();
    return Number(row?.value ?? 0);
  }

  /** Makes the fields those that are declared. What is new is there at once, and found by nothing yet; what is no more, is not found. */
  async setFields(declared: readonly DeclaredField[]): Promise<void> {
    await inTransaction(this.#database, async (transaction) => {
      const known = await transaction.selectFrom('shadow_field').selectAll().where('dropped', '=', 0).execute();
      const isSame = (one: DeclaredField, row: (typeof known)[number]): boolean =>
        one.stateId === Number(row.state_id) && one.field === row.field && one.createdAtMs === Number(row.created_at_ms);
      const gone = known.filter((row) => !declared.some((each) => isSame(each, row)));
      for (const { id } of gone) await drop(transaction, Number(id));
      for (const each of declared) if (!known.some((row) => isSame(each, row))) await add(transaction, each);
    });
  }

  /** Takes all values away, and is told of them from the beginning. */
  async reset(): Promise<void> {
    await inTransaction(this.#database, async (transaction) => {
      const known = await transaction.selectFrom('shadow_field').selectAll().where('dropped', '=', 0).execute();
      for (const row of known) {
        await drop(transaction, Number(row.id));
        await add(transaction, { stateId: Number(row.state_id), field: row.field, createdAtMs: Number(row.created_at_ms) });
      }
      await setPosition(transaction, 0);
    });
  }

  /** @param changes in their order, some thousands at most. @param position the sequence of the last one. */
  async apply(changes: readonly ShadowValueChange[], position: number, nowMs: number): Promise<void> {
    await inTransaction(this.#database, async (transaction) => {
      const fields = await fieldIds(transaction);
      // Of a device and a field the last one counts.
      const last = new Map<string, IndexedChange>();
      for (const { device, stateId, value } of changes) {
        const fieldId = fields.get(stateId);
        if (fieldId !== undefined) last.set(`${fieldId} ${device}`, { device, fieldId, value });
      }
      const unknown = await writeValues(transaction, [...last.values()]);
      await letWait(transaction, [...last.values()], unknown, nowMs);
      await setPosition(transaction, position);
    });
  }

  /**
   * Takes over what waits of devices that are there now, and forgets what has waited too long.
   *
   * @returns how much still waits, counted no further than needed.
   */
  async settle(nowMs: number): Promise<number> {
    return await inTransaction(this.#database, async (transaction) => {
      await transaction
        .deleteFrom('waiting_shadow_value')
        .where('at_ms', '<', nowMs - WAITING_MS)
        .execute();
      const rows = await transaction
        .selectFrom('waiting_shadow_value')
        .innerJoin('device', 'device.id', 'waiting_shadow_value.device_id')
        .innerJoin('shadow_field', 'shadow_field.id', 'waiting_shadow_value.field_id')
        .where('dropped', '=', 0)
        .select(['device_id', 'field_id', 'value'])
        .limit(WAITING_AT_ONCE)
        .execute();
      const changes = rows.map((row) => ({ device: row.device_id, fieldId: Number(row.field_id), value: row.value }));
      await writeValues(transaction, changes);
      await forgetWaiting(transaction, changes);
      const waiting = await transaction.selectFrom('waiting_shadow_value').select('device_id').limit(1).execute();
      return waiting.length;
    });
  }

  /** Takes away some of what fields were found by that are no more. @returns false when nothing is left of them. */
  async cleanUp(): Promise<boolean> {
    return await inTransaction(this.#database, async (transaction) => {
      const row = await transaction.selectFrom('shadow_field').select('id').where('dropped', '=', 1).limit(1).executeTakeFirst();
      if (row === undefined) return false;
      const fieldId = Number(row.id);
      if (await removeTerms(transaction, fieldId)) return true;
      if (await removeValues(transaction, fieldId)) return true;
      await transaction.deleteFrom('waiting_shadow_value').where('field_id', '=', fieldId).execute();
      await transaction.deleteFrom('shadow_field').where('id', '=', fieldId).execute();
      return true;
    });
  }
}

/** By what else devices are found that are going to be removed; the values go. Must not be called twice. */
export async function takeShadowTerms(
  transaction: Database,
  numbers: readonly number[],
): Promise<ReadonlyMap<number, readonly Term[]>> {
  const terms = new Map<number, Term[]>();
  const fields = await transaction.selectFrom('shadow_field').select('id').where('dropped', '=', 0).execute();
  if (fields.length === 0) return terms;
  const ids = fields.map(({ id }) => Number(id));
  for (const some of chunksOf(numbers)) {
    const rows = await transaction
      .deleteFrom('device_shadow_value')
      .where('field_id', 'in', ids)
      .where('number', 'in', some)
      .returning(['field_id', 'number', 'value'])
      .execute();
    for (const row of rows) {
      const number = Number(row.number);
      const known = terms.get(number) ?? [];
      known.push(...termsOfValues(Number(row.field_id), row.value));
      terms.set(number, known);
    }
  }
  return terms;
}

/** Puts together anew by what devices are found in shadows, where all postings were taken away. */
export async function reindexShadowValues(transaction: Database): Promise<void> {
  const fields = await transaction.selectFrom('shadow_field').select('id').where('dropped', '=', 0).execute();
  for (const { id } of fields) {
    for (let last = -1; ;) {
      const rows = await transaction
        .selectFrom('device_shadow_value')
        .select(['number', 'value'])
        .where('field_id', '=', id)
        .where('number', '>', last)
        .orderBy('number')
        .limit(VALUES_AT_ONCE)
        .execute();
      const end = rows.at(-1);
      if (end === undefined) break;
      const postings = new PostingChanges();
      for (const { number, value } of rows) postings.turned(Number(number), [], termsOfValues(Number(id), value));
      await changePostings(transaction, postings.changes());
      last = Number(end.number);
    }
  }
}

async function fieldIds(transaction: Database): Promise<ReadonlyMap<number, number>> {
  const rows = await transaction.selectFrom('shadow_field').select(['id', 'state_id']).where('dropped', '=', 0).execute();
  return new Map(rows.map((row) => [Number(row.state_id), Number(row.id)]));
}

async function add(transaction: Database, { stateId, field, createdAtMs }: DeclaredField): Promise<void> {
  await transaction
    .insertInto('shadow_field')
    .values({ state_id: stateId, field, created_at_ms: createdAtMs, dropped: 0 })
    .execute();
}

async function drop(transaction: Database, fieldId: number): Promise<void> {
  await transaction.updateTable('shadow_field').set({ dropped: 1 }).where('id', '=', fieldId).execute();
}

async function setPosition(transaction: Database, position: number): Promise<void> {
  await transaction.updateTable('registry_counter').set({ value: position }).where('name', '=', COUNTER).execute();
}

async function removeTerms(transaction: Database, fieldId: number): Promise<boolean> {
  const terms = await transaction
    .selectFrom('device_term')
    .select('id')
    .where('field', '=', shadowTermField(fieldId))
    .limit(TERMS_AT_ONCE)
    .execute();
  for (const { id } of terms) {
    const first = Number(id) * SLOTS_OF_TERM;
    await transaction
      .deleteFrom('device_posting')
      .where('slot', '>=', first)
      .where('slot', '<', first + SLOTS_OF_TERM)
      .execute();
  }
  if (terms.length === 0) return false;
  const ids = terms.map(({ id }) => id);
  await transaction.deleteFrom('device_term').where('id', 'in', ids).execute();
  return true;
}

async function removeValues(transaction: Database, fieldId: number): Promise<boolean> {
  const rows = await transaction
    .selectFrom('device_shadow_value')
    .select('number')
    .where('field_id', '=', fieldId)
    .orderBy('number')
    .offset(VALUES_AT_ONCE - 1)
    .limit(1)
    .execute();
  const [end] = rows;
  const remove = transaction.deleteFrom('device_shadow_value').where('field_id', '=', fieldId);
  await (end === undefined ? remove : remove.where('number', '<=', end.number)).execute();
  return end !== undefined;
}
