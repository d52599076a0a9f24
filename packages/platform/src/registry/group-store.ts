import { AuditTrail } from '../audit/audit-trail.ts';
import type { Actor } from '../audit/actor.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { moveDevicesUp, shiftPostings } from './group-postings.ts';
import { AFTER_SLASH, isWithin, parentOf, parseGroupPath, ROOT_GROUP, lineageOf } from './group-path.ts';
import { ensureGroups, findGroups } from './group-tree.ts';
import { holdsFollow } from './held-devices.ts';
import { devicesOf } from './index/term-counts.ts';
import { ALL_DEVICES, inGroup, underGroup } from './index/term.ts';
import { decodePageCursor, encodePageCursor } from './page-cursor.ts';
import { scopeIncludes, type Scope } from './scope.ts';

export interface Group {
  readonly path: string;
  readonly createdAtMs: number;
  /** In the group itself. */
  readonly devices: number;
  /** In the group and everywhere below it. */
  readonly devicesBelow: number;
  /** Groups right below it. */
  readonly groups: number;
}

export interface GroupPage {
  /** Ordered by path. */
  readonly items: readonly Group[];
  readonly cursor?: string;
}

/** The path of a group and of all below it changed, or (`to` undefined) it is no more. */
export interface GroupMove {
  readonly from: string;
  readonly to: string | undefined;
}

/** Whoever keeps paths of groups changes them in the same transaction. */
export type GroupFollower = (transaction: Database, move: GroupMove) => Promise<void>;

/** Everything below a node can be moved and removed in one transaction, so the tree is bounded. */
export const MAX_GROUPS_BELOW = 100_000;

/** The group tree. A group keeps its id when it is moved: the rows of its devices stay as they are. */
export class GroupStore {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #audit: AuditTrail;
  readonly #followers: readonly GroupFollower[];

  constructor(dependencies: {
    readonly database: Database;
    readonly clock: Clock;
    readonly followers?: readonly GroupFollower[];
  }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#audit = new AuditTrail(dependencies);
    this.#followers = dependencies.followers ?? [];
  }

  /** Makes the group and what is missing above it. @throws SelsynError `group.exists`, `request.invalid` */
  async create(path: string, actor: Actor): Promise<Group> {
    parseGroupPath(path);
    return await inTransaction(this.#database, async (transaction) => {
      if ((await findGroups(transaction, [path])).has(path)) throw groupExists(path);
      await ensureGroups(transaction, [path], { clock: this.#clock, actor });
      return { path, createdAtMs: this.#clock.now(), devices: 0, devicesBelow: 0, groups: 0 };
    });
  }

  /** @throws SelsynError `group.not-found` */
  async get(path: string): Promise<Group> {
    const row = await this.#database.selectFrom('device_group').selectAll().where('path', '=', path).executeTakeFirst();
    if (row === undefined) throw noGroup(path);
    return (await this.#withCounts([row]))[0]!;
  }

  /**
   * The groups right below one; those of a scope where that begins further below.
   *
   * @throws SelsynError `group.not-found`
   */
  async children(query: {
    readonly of: string;
    readonly scope?: Scope | undefined;
    readonly limit: number;
    readonly cursor?: string | undefined;
  }): Promise<GroupPage> {
    const { of, scope, limit } = query;
    if (scope !== undefined && !scopeIncludes(scope, of)) return await this.#entriesOf(scope, of);
    const parent = await this.#database.selectFrom('device_group').select('id').where('path', '=', of).executeTakeFirst();
    if (parent === undefined) throw noGroup(of);
    let rows = this.#database.selectFrom('device_group').selectAll().where('parent_id', '=', Number(parent.id));
    if (query.cursor !== undefined) rows = rows.where('path', '>', decodePageCursor(query.cursor));
    const found = await rows
      .orderBy('path')
      .limit(limit + 1)
      .execute();
    const items = await this.#withCounts(found.slice(0, limit));
    const last = items.at(-1);
    return found.length > limit && last !== undefined ? { items, cursor: encodePageCursor(last.path) } : { items };
  }

  /**
   * Gives a group another path, and with it everything below: the devices, and what was given to the groups.
   *
   * @throws SelsynError `group.not-found`, `group.exists`, `hold.active`, `request.invalid` for the root, for a path inside the group, and
   *   where a path below would be too long
   */
  async move(from: string, to: string, actor: Actor): Promise<Group> {
    parseGroupPath(from);
    parseGroupPath(to);
    if (from === ROOT_GROUP || to === ROOT_GROUP) throw invalid('the root of the tree stays where it is');
    if (isWithin(to, from)) throw invalid(`${to} is in ${from}`);
    return await inTransaction(this.#database, async (transaction) => {
      const moved = await rowsBelow(transaction, from);
      const self = moved.find(({ path }) => path === from);
      if (self === undefined) throw noGroup(from);
      if ((await findGroups(transaction, [to])).has(to)) throw groupExists(to);
      for (const { path } of moved) parseGroupPath(to + path.slice(from.length));
      const above = parentOf(to) ?? ROOT_GROUP;
      const places = await ensureGroups(transaction, [above, from], { clock: this.#clock, actor });
      for (const { id, path } of moved) {
        const parent = path === from ? { parent_id: places.idOf(above) } : {};
        await transaction
          .updateTable('device_group')
          .set({ path: to + path.slice(from.length), ...parent })
          .where('id', '=', id)
          .execute();
      }
      await shiftPostings(transaction, self.id, {
        from: lineageOf(parentOf(from) ?? ROOT_GROUP).map((path) => places.idOf(path)),
        to: lineageOf(above).map((path) => places.idOf(path)),
      });
      for (const follow of [holdsFollow, ...this.#followers]) await follow(transaction, { from, to });
      const object = { kind: 'group', id: from };
      const change = { actor, action: 'group.move', object, before: { path: from }, after: { path: to, groups: moved.length } };
      // Both who could see it and who can from now on.
      await this.#audit.record(
        [
          { ...change, group: from },
          { ...change, object: { kind: 'group', id: to }, group: to },
        ],
        transaction,
      );
      return await new GroupStore({ database: transaction, clock: this.#clock }).get(to);
    });
  }

  /**
   * @param options.force also when there is something in it: the groups below go with it, and all devices then stand in the
   *   group above.
   * @throws SelsynError `group.not-found`, `group.not-empty`, `hold.active`, `request.invalid` for the root
   */
  async remove(path: string, actor: Actor, options: { readonly force: boolean }): Promise<void> {
    parseGroupPath(path);
    const parent = parentOf(path);
    if (parent === undefined) throw invalid('the root of the tree cannot be removed');
    await inTransaction(this.#database, async (transaction) => {
      const group = await new GroupStore({ database: transaction, clock: this.#clock }).get(path);
      if (!options.force && (group.devicesBelow > 0 || group.groups > 0)) {
        throw new SelsynError('group.not-empty', `${path} is not empty: groups ${group.groups}, devices ${group.devicesBelow}`, {
          details: { path, groups: group.groups, devices: group.devicesBelow },
        });
      }
      const rows = await rowsBelow(transaction, path);
      const places = await findGroups(transaction, [path]);
      await moveDevicesUp(transaction, { self: places.idOf(path), parent: places.idOf(parent), all: rows.map(({ id }) => id) });
      // What is below goes first.
      for (const { id } of [...rows].sort((a, b) => b.path.length - a.path.length)) {
        await transaction.deleteFrom('device_group').where('id', '=', id).execute();
      }
      for (const follow of [holdsFollow, ...this.#followers]) await follow(transaction, { from: path, to: undefined });
      const object = { kind: 'group', id: path };
      const before = { path, groups: rows.length - 1, devices: group.devicesBelow };
      await this.#audit.record([{ actor, action: 'group.delete', object, group: path, before }], transaction);
    });
  }

  /** What somebody sees who may not see the group itself: their own nodes below it, and nothing of those between. */
  async #entriesOf(scope: Scope, of: string): Promise<GroupPage> {
    const below = scope.groups.filter((path) => isWithin(path, of)).sort();
    if (below.length === 0) throw noGroup(of);
    const rows = await this.#database.selectFrom('device_group').selectAll().where('path', 'in', below).orderBy('path').execute();
    return { items: await this.#withCounts(rows) };
  }

  async #withCounts(
    rows: readonly { readonly id: number; readonly path: string; readonly created_at_ms: number }[],
  ): Promise<readonly Group[]> {
    if (rows.length === 0) return [];
    const ids = rows.map(({ id }) => Number(id));
    const own = await devicesOf(this.#database, ids.map(inGroup));
    const below = await devicesOf(this.#database, ids.map(underGroup));
    const all = (await devicesOf(this.#database, [ALL_DEVICES])).get('') ?? 0;
    const groups = await this.#database
      .selectFrom('device_group')
      .select((builder) => ['parent_id', builder.fn.countAll().as('count')])
      .where('parent_id', 'in', ids)
      .groupBy('parent_id')
      .execute();
    const children = new Map(groups.map(({ parent_id: id, count }) => [Number(id), Number(count)]));
    return rows.map(({ id, path, created_at_ms: createdAtMs }) => ({
      path,
      createdAtMs: Number(createdAtMs),
      devices: own.get(String(id)) ?? 0,
      devicesBelow: path === ROOT_GROUP ? all : (below.get(String(id)) ?? 0),
      groups: children.get(Number(id)) ?? 0,
    }));
  }
}

/** The group and all below it, by path. */
async function rowsBelow(database: Database, path: string): Promise<readonly { readonly id: number; readonly path: string }[]> {
  const rows = await database
    .selectFrom('device_group')
    .select(['id', 'path'])
    .where((builder) =>
      builder.or([
        builder('path', '=', path),
        builder.and([builder('path', '>', `${path}/`), builder('path', '<', path + AFTER_SLASH)]),
      ]),
    )
    .orderBy('path')
    .limit(MAX_GROUPS_BELOW + 1)
    .execute();
  if (rows.length > MAX_GROUPS_BELOW)
    throw invalid(`more than ${MAX_GROUPS_BELOW} groups are in ${path}: change those below one by one`);
  return rows.map((row) => ({ id: Number(row.id), path: row.path }));
}

export function noGroup(path: string): SelsynError {
  return new SelsynError('group.not-found', `there is no group ${path}`, { details: { path } });
}

function groupExists(path: string): SelsynError {
  return new SelsynError('group.exists', `there is a group ${path} already`, { details: { path } });
}

function invalid(message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field: 'path' } });
}
