import type { Selectable } from 'kysely';
import { AuditTrail } from '../audit/audit-trail.ts';
import type { Actor } from '../audit/actor.ts';
import type { Database } from '../database/schema.ts';
import type { DataKeyTable } from '../database/tables/secret-tables.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { RandomBytes } from '../kernel/secret.ts';
import { DATA_KEY_BYTES, type MasterKey, type MasterKeys } from './master-key.ts';
import { keyIdOf, openValue, sealValue, unreadable, type SealContext, type SealingKey } from './sealed-value.ts';

export interface DataKeyFacts {
  readonly id: string;
  readonly createdAtMs: number;
  /** Absent: it seals. */
  readonly retiredAtMs?: number;
  readonly masterId: string;
}

interface Dependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

/** A key that may still be on its way into a row when it is retired is kept at least so long. */
export const RETIRED_KEPT_MS = 10 * 60_000;
const ID_BYTES = 8;

/**
 * The data keys, unwrapped: what is sealed and opened needs no master key any more.
 *
 * Invariant: one of them is current; every key that a sealed value names has a row, wrapped by a master key that is there.
 */
export class DataKeys {
  readonly #dependencies: Dependencies;
  readonly #keys = new Map<string, SealingKey & DataKeyFacts>();
  #current: SealingKey;

  private constructor(dependencies: Dependencies, keys: readonly (SealingKey & DataKeyFacts)[], current: SealingKey) {
    this.#dependencies = dependencies;
    for (const key of keys) this.#keys.set(key.id, key);
    this.#current = current;
  }

  /** The master keys that have wrapped what is there: none of them may be made anew when it is lost. */
  static async masterIds(database: Database): Promise<readonly string[]> {
    const rows = await database.selectFrom('data_key').select('master_id').distinct().execute();
    return rows.map((row) => row.master_id);
  }

  /**
   * Unwraps all keys, and wraps those anew that another master key than the current one has wrapped. Makes the first.
   *
   * @throws SelsynError `secrets.wrong-master-key` that names the key that is wanted, `secrets.unavailable`
   */
  static async open(dependencies: Dependencies, masters: MasterKeys): Promise<DataKeys> {
    const { database } = dependencies;
    const rows = await database.selectFrom('data_key').selectAll().orderBy('created_at_ms').orderBy('id').execute();
    const keys: (SealingKey & DataKeyFacts)[] = [];
    for (const row of rows) keys.push({ ...factsOf(row), bytes: await unwrap(row, masters) });
    const current = keys.findLast(({ retiredAtMs }) => retiredAtMs === undefined);
    if (current === undefined) {
      if (keys.length > 0) throw new SelsynError('data.corrupt', 'no data key is the current one');
      const made = await newKey(dependencies, masters.current);
      await insertKey(database, made);
      return new DataKeys(dependencies, [made.key], made.key);
    }
    const opened = new DataKeys(dependencies, keys, current);
    if (keys.some(({ masterId }) => masterId !== masters.current.id)) await opened.wrapAnew(masters.current);
    return opened;
  }

  get currentId(): string {
    return this.#current.id;
  }

  /** In the order in which they were retired; the current one is the last. */
  list(): readonly DataKeyFacts[] {
    return [...this.#keys.values()]
      .map(({ id, masterId, createdAtMs, retiredAtMs }) => ({
        id,
        masterId,
        createdAtMs,
        ...(retiredAtMs !== undefined && { retiredAtMs }),
      }))
      .sort((a, b) => (a.retiredAtMs ?? Infinity) - (b.retiredAtMs ?? Infinity) || a.createdAtMs - b.createdAtMs);
  }

  /** Seals with the current key. */
  seal(value: Uint8Array, context: SealContext): { readonly sealed: string; readonly keyId: string } {
    return { sealed: sealValue(value, this.#current, context, this.#dependencies.random), keyId: this.#current.id };
  }

  /** @throws SelsynError `secrets.unreadable` */
  open(sealed: string, context: SealContext): Buffer {
    const key = this.#keys.get(keyIdOf(sealed) ?? '');
    if (key === undefined) throw unreadable(context);
    return openValue(sealed, key, context);
  }

  /** From now on a new key seals; those before only open. */
  async rotate(master: MasterKey, actor: Actor): Promise<string> {
    const { database, clock } = this.#dependencies;
    const made = await newKey(this.#dependencies, master);
    const nowMs = clock.now();
    await database.transaction().execute(async (transaction) => {
      await transaction.updateTable('data_key').set({ retired_at_ms: nowMs }).where('retired_at_ms', 'is', null).execute();
      await insertKey(transaction, made);
      await new AuditTrail({ database: transaction, clock }).record(
        [
          {
            actor,
            action: 'data-key.rotate',
            object: { kind: 'data-key', id: made.key.id },
            group: '/',
            before: { id: this.#current.id },
            after: { id: made.key.id },
          },
        ],
        transaction,
      );
    });
    for (const [id, key] of this.#keys) if (key.retiredAtMs === undefined) this.#keys.set(id, { ...key, retiredAtMs: nowMs });
    this.#keys.set(made.key.id, made.key);
    this.#current = made.key;
    return made.key.id;
  }

  /** Wraps all keys by this master key, all or none. What is sealed stays as it is. */
  async wrapAnew(master: MasterKey): Promise<void> {
    const wrapped = new Map<string, string>();
    for (const { id, bytes } of this.#keys.values()) wrapped.set(id, await master.wrap(bytes, id));
    await this.#dependencies.database.transaction().execute(async (transaction) => {
      for (const [id, text] of wrapped) {
        await transaction.updateTable('data_key').set({ wrapped: text, master_id: master.id }).where('id', '=', id).execute();
      }
    });
    for (const [id, key] of this.#keys) this.#keys.set(id, { ...key, masterId: master.id });
  }

  /** Forgets a retired key with which nothing is sealed. @returns false: it is not long enough that it was retired */
  async forget(id: string, transaction: Database): Promise<boolean> {
    const key = this.#keys.get(id);
    if (key?.retiredAtMs === undefined || this.#dependencies.clock.now() - key.retiredAtMs < RETIRED_KEPT_MS) return false;
    await transaction.deleteFrom('data_key').where('id', '=', id).execute();
    this.#keys.delete(id);
    return true;
  }
}

interface NewKey {
  readonly key: SealingKey & DataKeyFacts;
  readonly wrapped: string;
}

async function newKey({ clock, random }: Dependencies, master: MasterKey): Promise<NewKey> {
  const bytes = Buffer.from(random(DATA_KEY_BYTES));
  const id = Buffer.from(random(ID_BYTES)).toString('hex');
  const wrapped = await master.wrap(bytes, id);
  return { key: { id, bytes, createdAtMs: clock.now(), masterId: master.id }, wrapped };
}

async function insertKey(database: Database, { key, wrapped }: NewKey): Promise<void> {
  await database
    .insertInto('data_key')
    .values({ id: key.id, master_id: key.masterId, wrapped, created_at_ms: key.createdAtMs, retired_at_ms: null })
    .execute();
}

async function unwrap(row: Selectable<DataKeyTable>, { current, others, place }: MasterKeys): Promise<Uint8Array> {
  const master = [current, ...others].find(({ id }) => id === row.master_id);
  if (master !== undefined) {
    const bytes = await master.unwrap(row.wrapped, row.id);
    if (bytes.length === DATA_KEY_BYTES) return bytes;
    throw new SelsynError('secrets.wrong-master-key', `the data key ${row.id} is not what the master key has wrapped`);
  }
  throw new SelsynError(
    'secrets.wrong-master-key',
    `the secrets of this database were sealed under the master key ${row.master_id}, but ${place} holds ${current.id}: put the right one there`,
    { details: { wanted: row.master_id, found: current.id } },
  );
}

function factsOf(row: Selectable<DataKeyTable>): DataKeyFacts {
  return {
    id: row.id,
    createdAtMs: Number(row.created_at_ms),
    ...(row.retired_at_ms !== null && { retiredAtMs: Number(row.retired_at_ms) }),
    masterId: row.master_id,
  };
}
