import { AuditTrail } from '../audit/audit-trail.ts';
import type { Actor } from '../audit/actor.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import type { FleetTable } from '../database/tables/registry-tables.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { DeviceFilter } from './device-search.ts';
import { parseFilter } from './filter/parse-filter.ts';
import { isWithin, parseGroupPath, ROOT_GROUP } from './group-path.ts';
import type { GroupFollower } from './group-store.ts';
import { EVERYTHING, scopeIncludes, type Scope } from './scope.ts';

/** A saved filter: its members are whatever devices it holds for when it is asked. */
export interface Fleet {
  readonly id: string;
  readonly name: string;
  /** Only devices in this group or below are members; also who may see and change it. */
  readonly group: string;
  readonly filter: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export interface FleetDraft {
  readonly id: string;
  readonly name?: string | undefined;
  readonly group?: string | undefined;
  readonly filter: string;
}

/** What is absent stays. */
export interface FleetPatch {
  readonly name?: string | undefined;
  readonly group?: string | undefined;
  readonly filter?: string | undefined;
}

export const FLEET_ID_PATTERN = /^[A-Za-z0-9:_.-]{1,64}$/;
export const MAX_FLEET_NAME = 200;
export const MAX_FLEETS = 1000;

/** The fleets: a thousand at most, so that a list is one page. */
export class FleetStore {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #audit: AuditTrail;

  constructor(dependencies: { readonly database: Database; readonly clock: Clock }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#audit = new AuditTrail(dependencies);
  }

  /** @throws SelsynError `fleet.exists`, `request.invalid`, `access.denied` for a group out of the scope */
  async create(draft: FleetDraft, actor: Actor, scope: Scope = EVERYTHING): Promise<Fleet> {
    const nowMs = this.#clock.now();
    const { id, name = id, group = ROOT_GROUP, filter } = draft;
    const fleet: Fleet = { id, name, group, filter, createdAtMs: nowMs, updatedAtMs: nowMs };
    checkFleet(fleet, scope);
    return await inTransaction(this.#database, async (transaction) => {
      const { count } = await transaction
        .selectFrom('fleet')
        .select((builder) => builder.fn.countAll().as('count'))
        .executeTakeFirstOrThrow();
      if (Number(count) >= MAX_FLEETS) throw invalid('id', `there are ${MAX_FLEETS} fleets, which is as many as there can be`);
      const inserted = await transaction
        .insertInto('fleet')
        .values({ ...columnsOf(fleet), id, created_at_ms: nowMs })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .executeTakeFirst();
      if (inserted.numInsertedOrUpdatedRows === 0n) {
        throw new SelsynError('fleet.exists', `there is a fleet ${id} already`, { details: { id } });
      }
      await this.#record(transaction, actor, 'create', undefined, fleet);
      return fleet;
    });
  }

  /** @throws SelsynError `fleet.not-found` */
  async get(id: string, scope: Scope = EVERYTHING): Promise<Fleet> {
    const row = await this.#database.selectFrom('fleet').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined || !scopeIncludes(scope, row.group_path)) throw noFleet(id);
    return fromRow(row);
  }

  /** All that may be seen, ordered by id. */
  async list(scope: Scope = EVERYTHING): Promise<readonly Fleet[]> {
    const rows = await this.#database.selectFrom('fleet').selectAll().orderBy('id').execute();
    return rows.filter((row) => scopeIncludes(scope, row.group_path)).map(fromRow);
  }

  /** @throws SelsynError `fleet.not-found`, `request.invalid`, `access.denied` */
  async update(id: string, patch: FleetPatch, actor: Actor, scope: Scope = EVERYTHING): Promise<Fleet> {
    return await inTransaction(this.#database, async (transaction) => {
      const before = await new FleetStore({ database: transaction, clock: this.#clock }).get(id, scope);
      const after: Fleet = {
        ...before,
        name: patch.name ?? before.name,
        group: patch.group ?? before.group,
        filter: patch.filter ?? before.filter,
        updatedAtMs: this.#clock.now(),
      };
      checkFleet(after, scope);
      await transaction.updateTable('fleet').set(columnsOf(after)).where('id', '=', id).execute();
      await this.#record(transaction, actor, 'update', before, after);
      return after;
    });
  }

  /** @throws SelsynError `fleet.not-found` */
  async remove(id: string, actor: Actor, scope: Scope = EVERYTHING): Promise<void> {
    await inTransaction(this.#database, async (transaction) => {
      const fleet = await new FleetStore({ database: transaction, clock: this.#clock }).get(id, scope);
      await transaction.deleteFrom('fleet').where('id', '=', id).execute();
      await this.#record(transaction, actor, 'delete', fleet, undefined);
    });
  }

  async #record(
    transaction: Database,
    actor: Actor,
    verb: string,
    before: Fleet | undefined,
    after: Fleet | undefined,
  ): Promise<void> {
    const { id, group } = (after ?? before)!;
    await this.#audit.record(
      [{ actor, action: `fleet.${verb}`, object: { kind: 'fleet', id }, group, before, after }],
      transaction,
    );
  }
}

/** What `DeviceStore.list` and `count` take to be about the members. */
export function membersOf(fleet: Fleet): Pick<DeviceFilter, 'filter' | 'group'> {
  return { filter: fleet.filter, group: fleet.group };
}

/**
 * Lets fleets follow their groups. That of a group which is removed keeps its path and has no members from then on: those of
 * the group above were never meant.
 */
export const fleetsFollow: GroupFollower = async (transaction, { from, to }) => {
  if (to === undefined) return;
  const rows = await transaction.selectFrom('fleet').select(['id', 'group_path']).execute();
  for (const { id, group_path: path } of rows) {
    if (!isWithin(path, from)) continue;
    await transaction
      .updateTable('fleet')
      .set({ group_path: to + path.slice(from.length) })
      .where('id', '=', id)
      .execute();
  }
};

function checkFleet({ id, name, group, filter }: Fleet, scope: Scope): void {
  if (!FLEET_ID_PATTERN.test(id)) throw invalid('id', 'the id of a fleet is 1 to 64 of A-Z a-z 0-9 : _ . -');
  if (name.length === 0 || name.length > MAX_FLEET_NAME)
    throw invalid('name', `the name of a fleet has 1 to ${MAX_FLEET_NAME} characters`);
  parseGroupPath(group);
  parseFilter(filter);
  if (!scopeIncludes(scope, group)) {
    throw new SelsynError('access.denied', `you may not have fleets in ${group}`, { details: { group } });
  }
}

function columnsOf({ name, group, filter, updatedAtMs }: Fleet) {
  return { name, group_path: group, filter, updated_at_ms: updatedAtMs };
}

function fromRow(row: FleetTable): Fleet {
  return {
    id: row.id,
    name: row.name,
    group: row.group_path,
    filter: row.filter,
    createdAtMs: Number(row.created_at_ms),
    updatedAtMs: Number(row.updated_at_ms),
  };
}

function noFleet(id: string): SelsynError {
  return new SelsynError('fleet.not-found', `there is no fleet ${id}`, { details: { id } });
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field } });
}
