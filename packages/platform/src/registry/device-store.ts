import type { AliasableExpression } from 'kysely';
import { systemActor, type Actor } from '../audit/actor.ts';
import { inTransaction } from '../database/in-transaction.ts';
import { PreparedLookup } from '../database/prepared-lookup.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import { checkDraft, OPEN_TAG, type Device, type DeviceDraft, type DevicePatch } from './device.ts';
import { putDevices, type PutMode, type PutOutcome } from './device-put.ts';
import { readDevices, type StoredDevice } from './device-rows.ts';
import { AFTER_ANY_ID_CHARACTER, filterOf, type DeviceFilter } from './device-search.ts';
import { deleteDevices, deviceOfDraft, insertDevices, TypeCheck, updateDevices, type WriteContext } from './device-writing.ts';
import { patched } from './device-patch.ts';
import type { Filter } from './filter/filter-ast.ts';
import { FilterSearch } from './filter/filter-search.ts';
import { ROOT_GROUP } from './group-path.ts';
import type { DeviceSet } from './index/device-set.ts';
import { devicesOf } from './index/term-counts.ts';
import { ALL_DEVICES } from './index/term.ts';
import { decodePageCursor, encodePageCursor } from './page-cursor.ts';
import { EVERYTHING, scopeIncludes, type Scope } from './scope.ts';
import { chunksOf } from './statement-chunks.ts';

export type { DeviceFilter } from './device-search.ts';

export interface DevicePage {
  /**
   * Ordered by id, byte by byte. Where a filter, a group or a scope was asked for: in the order in which the devices were
   * registered.
   */
  readonly items: readonly Device[];
  /** Present when there are more. */
  readonly cursor?: string;
}

/** Does, in the transaction that removes devices, what must not outlive them and is in no table that refers to theirs. */
export type OnRemoving = (ids: readonly DeviceId[], actor: Actor, transaction: Database) => Promise<void>;

/** Ids that one call of `ensure`, and devices that one call of `put` takes. */
export const MAX_ENSURED = 10_000;

const REGISTRY: Actor = systemActor('registry');
const OPEN_ACCESS: Actor = systemActor('open-access');
/** Not in any id: a page in the order of registration goes on after a number. */
const NUMBER_MARK = '#';

/**
 * The devices that this platform knows. Only one thread writes; every method is one statement or one transaction, that of
 * the caller where there is one. Each change is in the audit trail, and is found by filters from then on.
 */
export class DeviceStore {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #onRemoving: OnRemoving | undefined;
  /** What every request about a device asks first. */
  readonly #groupOfOne: PreparedLookup<{ readonly path: string }>;

  constructor(dependencies: {
    readonly database: Database;
    readonly clock: Clock;
    readonly onRemoving?: OnRemoving | undefined;
  }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#onRemoving = dependencies.onRemoving;
    this.#groupOfOne = new PreparedLookup(this.#database, (id) =>
      this.#database
        .selectFrom('device')
        .innerJoin('device_group', 'device_group.id', 'device.group_id')
        .select('device_group.path')
        .where('device.id', '=', id as DeviceId),
    );
  }

  /** @throws SelsynError `device.exists`, `request.invalid` */
  async create(draft: DeviceDraft, actor: Actor = REGISTRY): Promise<Device> {
    checkDraft(draft);
    const device = deviceOfDraft(draft, this.#clock.now());
    await this.#write(actor, async (context) => {
      const known = await context.transaction.selectFrom('device').select('id').where('id', '=', draft.id).executeTakeFirst();
      if (known !== undefined) {
        throw new SelsynError('device.exists', `there is a device ${draft.id} already`, { details: { id: draft.id } });
      }
      (await TypeCheck.of(context, [device.type])).check(device);
      await insertDevices(context, [device]);
    });
    return device;
  }

  /**
   * Adds or changes many devices in one transaction, and says of each what became of it: one that is refused does not keep
   * the others out.
   *
   * @param drafts at most 10,000. What comes twice is there already the second time.
   * @param mode what happens with those that are there: `create` leaves them, `upsert` gives them the fields of the draft.
   * @returns in the order of the drafts.
   * @throws SelsynError `request.too-large`
   */
  async put(drafts: readonly DeviceDraft[], mode: PutMode, actor: Actor = REGISTRY): Promise<readonly PutOutcome[]> {
    if (drafts.length > MAX_ENSURED) {
      throw new SelsynError('request.too-large', `at most ${MAX_ENSURED} devices can be written at once`);
    }
    return await this.#write(actor, async (context) => await putDevices(context, drafts, mode));
  }

  async find(id: DeviceId): Promise<Device | undefined> {
    return (await this.#stored(this.#database, id))?.device;
  }

  /** Those of the devices that there are. */
  async findMany(ids: readonly DeviceId[]): Promise<ReadonlyMap<DeviceId, Device>> {
    return new Map((await readDevices(this.#database, { ids })).map(({ device }) => [device.id, device]));
  }

  /** @throws SelsynError `device.not-found`, also for one that is out of the scope */
  async get(id: DeviceId, scope: Scope = EVERYTHING): Promise<Device> {
    const device = await this.find(id);
    if (device === undefined || !scopeIncludes(scope, device.group)) throw noDevice(id);
    return device;
  }

  /** `get` for those who need nothing of the device. @throws SelsynError `device.not-found` */
  async ensureKnown(id: DeviceId, scope: Scope = EVERYTHING): Promise<void> {
    const [found] = await this.#groupOfOne.find(id);
    if (found === undefined || !scopeIncludes(scope, found.path)) throw noDevice(id);
  }

  /** The groups of those of the devices that there are. */
  async groupOf(ids: Iterable<DeviceId>): Promise<ReadonlyMap<DeviceId, string>> {
    const groups = new Map<DeviceId, string>();
    for (const some of chunksOf([...new Set(ids)])) {
      const rows = await this.#database
        .selectFrom('device')
        .innerJoin('device_group', 'device_group.id', 'device.group_id')
        .select(['device.id', 'device_group.path'])
        .where('device.id', 'in', some)
        .execute();
      for (const { id, path } of rows) groups.set(id as DeviceId, path);
    }
    return groups;
  }

  /** Those of the ids that a query holds for. @throws SelsynError `request.invalid` for a filter that is none. */
  async among(ids: Iterable<DeviceId>, query: Pick<DeviceFilter, 'filter' | 'group' | 'scope'>): Promise<ReadonlySet<DeviceId>> {
    const filter = filterOf(query);
    return await inTransaction(this.#database, async (transaction) => {
      const found = new Set<DeviceId>();
      const matching = filter === undefined ? undefined : await this.#matches(transaction, filter);
      for (const some of chunksOf([...new Set(ids)])) {
        const rows = await transaction.selectFrom('device').select(['id', 'number']).where('id', 'in', some).execute();
        for (const { id, number } of rows) if (matching?.has(Number(number)) !== false) found.add(id as DeviceId);
      }
      return found;
    });
  }

  /** A page, as fast wherever in the list it is. @throws SelsynError `request.invalid` for a filter or cursor that is none. */
  async list(query: DeviceFilter & { readonly limit: number; readonly cursor?: string | undefined }): Promise<DevicePage> {
    const after = query.cursor === undefined ? undefined : decodePageCursor(query.cursor);
    const filter = filterOf(query);
    if (filter !== undefined) return await this.#listMatching(filter, query.limit, after);
    const found = await this.#idsOf(query, after)
      .orderBy('found.id')
      .limit(query.limit + 1)
      .execute();
    const ids = found.slice(0, query.limit).map((row) => row.id);
    const last = ids.at(-1);
    if (last === undefined) return { items: [] };
    const devices = new Map((await readDevices(this.#database, { ids })).map(({ device }) => [device.id as string, device]));
    const items = ids.flatMap((id) => devices.get(id) ?? []);
    return found.length > query.limit ? { items, cursor: encodePageCursor(last) } : { items };
  }

  /** All that match, by their numbers: for those who go through them later. @throws SelsynError `request.invalid` */
  async matching(query: DeviceFilter): Promise<DeviceSet> {
    // A group makes it a filter whatever else is asked for.
    const filter = filterOf({ ...query, group: query.group ?? ROOT_GROUP });
    return await this.#matches(this.#database, filter ?? { kind: 'all' });
  }

  /** @throws SelsynError `request.invalid` for a filter that is none. */
  async count(query: DeviceFilter = {}): Promise<number> {
    const filter = filterOf(query);
    if (filter !== undefined) return (await this.#matches(this.#database, filter)).count();
    const { idPrefix = '', tag } = query;
    if (idPrefix === '' && tag === undefined) return (await devicesOf(this.#database, [ALL_DEVICES])).get('') ?? 0;
    const row = await this.#database
      .selectFrom(this.#idsOf(query).as('matching'))
      .select((builder) => builder.fn.countAll().as('count'))
      .executeTakeFirstOrThrow();
    return Number(row.count);
  }

  /**
   * @throws SelsynError `device.not-found`, `request.invalid`, `access.denied` when it would move out of the scope
   */
  async update(id: DeviceId, patch: DevicePatch, actor: Actor = REGISTRY, scope: Scope = EVERYTHING): Promise<Device> {
    return await this.#write(actor, async (context) => {
      const before = await this.#stored(context.transaction, id);
      if (before === undefined || !scopeIncludes(scope, before.device.group)) throw noDevice(id);
      const after = patched(before.device, patch, this.#clock.now());
      if (!scopeIncludes(scope, after.group)) {
        throw new SelsynError('access.denied', `you may not put devices in ${after.group}`, { details: { group: after.group } });
      }
      if (after === before.device) return after;
      (await TypeCheck.of(context, [after.type])).check(after);
      await updateDevices(context, [{ before, after }]);
      return after;
    });
  }

  /** @returns false when there was no such device, or it is out of the scope. */
  async remove(id: DeviceId, actor: Actor = REGISTRY, scope: Scope = EVERYTHING): Promise<boolean> {
    return await this.#write(actor, async (context) => {
      const device = await this.#stored(context.transaction, id);
      if (device === undefined || !scopeIncludes(scope, device.device.group)) return false;
      await this.#onRemoving?.([id], actor, context.transaction);
      await deleteDevices(context, [device]);
      return true;
    });
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
    return await this.#write(OPEN_ACCESS, async (context) => {
      const known = await new DeviceStore({ database: context.transaction, clock: this.#clock }).groupOf(wanted);
      const missing = wanted.filter((id) => !known.has(id));
      await insertDevices(
        context,
        missing.map((id) => deviceOfDraft({ id, group: ROOT_GROUP, tags: [OPEN_TAG] }, nowMs)),
      );
      return missing.length;
    });
  }

  async #listMatching(filter: Filter, limit: number, after: string | undefined): Promise<DevicePage> {
    const afterNumber = after === undefined ? -1 : numberOf(after);
    return await inTransaction(this.#database, async (transaction) => {
      const numbers = (await this.#matches(transaction, filter)).take(limit + 1, afterNumber);
      const shown = numbers.slice(0, limit);
      const last = shown.at(-1);
      if (last === undefined) return { items: [] };
      const stored = [...(await readDevices(transaction, { numbers: shown }))].sort((a, b) => a.number - b.number);
      const items = stored.map(({ device }) => device);
      return numbers.length > limit ? { items, cursor: encodePageCursor(`${NUMBER_MARK}${last}`) } : { items };
    });
  }

  async #matches(database: Database, filter: Filter): Promise<DeviceSet> {
    return await inTransaction(
      database,
      async (transaction) => await new FilterSearch(transaction, this.#clock.now()).matches(filter),
    );
  }

  async #stored(database: Database, id: DeviceId): Promise<StoredDevice | undefined> {
    return (await readDevices(database, { ids: [id] }))[0];
  }

  async #write<T>(actor: Actor, work: (context: WriteContext) => Promise<T>): Promise<T> {
    return await inTransaction(this.#database, async (transaction) => await work({ transaction, clock: this.#clock, actor }));
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
}

/** What everybody answers who was asked for a device that is not there. */
export function noDevice(id: DeviceId): SelsynError {
  return new SelsynError('device.not-found', `there is no device ${id}`, { details: { id } });
}

/** @throws SelsynError `request.invalid` for the cursor of another list. */
function numberOf(place: string): number {
  const digits = /^#(\d{1,15})$/.exec(place)?.[1];
  if (digits !== undefined) return Number(digits);
  throw new SelsynError('request.invalid', 'the cursor is of a list without a filter', { details: { field: 'cursor' } });
}
