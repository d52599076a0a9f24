import type { AliasableExpression } from 'kysely';
import type { Database, Schema } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { parseDeviceId, type DeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import { checkDraft, OPEN_TAG, type Device, type DeviceDraft } from './device.ts';
import { decodePageCursor, encodePageCursor } from './page-cursor.ts';

/** Which devices a list or a count is about; absent fields allow all. */
export interface DeviceFilter {
  /** The id starts with this. */
  readonly idPrefix?: string | undefined;
  readonly tag?: string | undefined;
}

export interface DevicePage {
  /** Ordered by id, byte by byte. */
  readonly items: readonly Device[];
  /** Present when there are more. */
  readonly cursor?: string;
}

/** Ids that one call of `ensure` takes. */
export const MAX_ENSURED = 10_000;

/** Sorts after every character that an id may have. */
const AFTER_ANY_ID_CHARACTER = '\x7f';
/** SQLite and PostgreSQL bind far more; one statement of this size stays under a millisecond. */
const ROWS_PER_STATEMENT = 500;

/** The devices that this platform knows. Only one thread writes; every method is one statement or one transaction. */
export class DeviceStore {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(dependencies: { readonly database: Database; readonly clock: Clock }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
  }

  /** @throws SelsynError `device.exists`, `request.invalid` */
  async create(draft: DeviceDraft): Promise<Device> {
    checkDraft(draft);
    const device = deviceOf(draft, this.#clock.now());
    await inTransaction(this.#database, async (transaction) => {
      const inserted = await transaction
        .insertInto('device')
        .values({ id: device.id, name: device.name ?? null, created_at_ms: device.createdAtMs })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .executeTakeFirst();
      if (inserted.numInsertedOrUpdatedRows === 0n) {
        throw new SelsynError('device.exists', `there is a device ${device.id} already`, { details: { id: device.id } });
      }
      if (device.tags.length > 0) {
        await transaction
          .insertInto('device_tag')
          .values(device.tags.map((tag) => ({ device_id: device.id, tag })))
          .execute();
      }
    });
    return device;
  }

  async find(id: DeviceId): Promise<Device | undefined> {
    const row = await this.#database.selectFrom('device').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) return undefined;
    const tags = await this.#tagsOf([id]);
    return fromRow(row, tags.get(id) ?? []);
  }

  /** @throws SelsynError `device.not-found` */
  async get(id: DeviceId): Promise<Device> {
    const device = await this.find(id);
    if (device === undefined) throw noDevice(id);
    return device;
  }

  /** `get` for those who need nothing of the device. @throws SelsynError `device.not-found` */
  async ensureKnown(id: DeviceId): Promise<void> {
    const row = await this.#database.selectFrom('device').select('id').where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw noDevice(id);
  }

  /** A page in O(limit), wherever in the list it is. @throws SelsynError `request.invalid` for a cursor that is none. */
  async list(query: DeviceFilter & { readonly limit: number; readonly cursor?: string | undefined }): Promise<DevicePage> {
    const after = query.cursor === undefined ? undefined : decodePageCursor(query.cursor);
    const found = await this.#idsOf(query, after)
      .orderBy('found.id')
      .limit(query.limit + 1)
      .execute();
    const ids = found.slice(0, query.limit).map((row) => row.id);
    const last = ids.at(-1);
    if (last === undefined) return { items: [] };
    const rows = await this.#database.selectFrom('device').selectAll().where('id', 'in', ids).orderBy('id').execute();
    const tags = await this.#tagsOf(ids);
    const items = rows.map((row) => fromRow(row, tags.get(row.id) ?? []));
    return found.length > query.limit ? { items, cursor: encodePageCursor(last) } : { items };
  }

  async count(filter: DeviceFilter = {}): Promise<number> {
    const row = await this.#database
      .selectFrom(this.#idsOf(filter).as('matching'))
      .select((builder) => builder.fn.countAll().as('count'))
      .executeTakeFirstOrThrow();
    return Number(row.count);
  }

  /** @returns false when there was no such device. */
  async remove(id: DeviceId): Promise<boolean> {
    const deleted = await this.#database.deleteFrom('device').where('id', '=', id).executeTakeFirst();
    return deleted.numDeletedRows > 0n;
  }

  /**
   * Adds those of the devices that are not known, tagged `open`, in one transaction: all or none.
   *
   * @param ids at most 10,000; the caller collects what came in a while.
   * @returns how many were new.
   * @throws SelsynError `request.too-large`
   */
  async ensure(ids: Iterable<DeviceId>): Promise<number> {
    const wanted = [...new Set(ids)];
    if (wanted.length > MAX_ENSURED) {
      throw new SelsynError('request.too-large', `at most ${MAX_ENSURED} devices can be registered at once`);
    }
    const nowMs = this.#clock.now();
    return await inTransaction(this.#database, async (transaction) => {
      let added = 0;
      for (let start = 0; start < wanted.length; start += ROWS_PER_STATEMENT) {
        const created = await transaction
          .insertInto('device')
          .values(wanted.slice(start, start + ROWS_PER_STATEMENT).map((id) => ({ id, name: null, created_at_ms: nowMs })))
          .onConflict((conflict) => conflict.column('id').doNothing())
          .returning('id')
          .execute();
        if (created.length === 0) continue;
        added += created.length;
        await transaction
          .insertInto('device_tag')
          .values(created.map((row) => ({ device_id: row.id, tag: OPEN_TAG })))
          .execute();
      }
      return added;
    });
  }

  /** Where a tag is asked for, its index leads: it is in the order of the ids too. */
  #idsOf({ idPrefix = '', tag }: DeviceFilter, after?: string) {
    const all: AliasableExpression<{ id: string }> =
      tag === undefined
        ? this.#database.selectFrom('device').select('id')
        : this.#database.selectFrom('device_tag').select('device_id as id').where('tag', '=', tag);
    let ids = this.#database.selectFrom(all.as('found')).select('found.id');
    if (idPrefix !== '') ids = ids.where('found.id', '>=', idPrefix).where('found.id', '<', idPrefix + AFTER_ANY_ID_CHARACTER);
    if (after !== undefined) ids = ids.where('found.id', '>', after);
    return ids;
  }

  async #tagsOf(ids: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const tags = new Map<string, string[]>();
    if (ids.length === 0) return tags;
    const rows = await this.#database
      .selectFrom('device_tag')
      .selectAll()
      .where('device_id', 'in', ids)
      .orderBy('device_id')
      .orderBy('tag')
      .execute();
    for (const row of rows) {
      const list = tags.get(row.device_id);
      if (list === undefined) tags.set(row.device_id, [row.tag]);
      else list.push(row.tag);
    }
    return tags;
  }
}

/** Joins the transaction of the caller, where there is one. */
async function inTransaction<T>(database: Database, work: (transaction: Database) => Promise<T>): Promise<T> {
  return database.isTransaction ? await work(database) : await database.transaction().execute(work);
}

/** What everybody answers who was asked for a device that is not there. */
export function noDevice(id: DeviceId): SelsynError {
  return new SelsynError('device.not-found', `there is no device ${id}`, { details: { id } });
}

function deviceOf(draft: DeviceDraft, createdAtMs: number): Device {
  const tags = [...new Set(draft.tags)].sort();
  return draft.name === undefined ? { id: draft.id, tags, createdAtMs } : { id: draft.id, name: draft.name, tags, createdAtMs };
}

function fromRow(row: Schema['device'], tags: readonly string[]): Device {
  const device = { id: parseDeviceId(row.id), tags, createdAtMs: Number(row.created_at_ms) };
  return row.name === null ? device : { ...device, name: row.name };
}
