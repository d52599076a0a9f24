import { AuditTrail } from '../audit/audit-trail.ts';
import type { Actor } from '../audit/actor.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { lineageOf, parentOf, ROOT_GROUP } from './group-path.ts';

/** The groups of a batch of devices, by their paths. */
export class GroupPlaces {
  readonly #ids: ReadonlyMap<string, number>;

  /** @param ids of every group that is asked for, and of all above it. */
  constructor(ids: ReadonlyMap<string, number>) {
    this.#ids = ids;
  }

  has(path: string): boolean {
    return this.#ids.has(path);
  }

  idOf(path: string): number {
    const id = this.#ids.get(path);
    if (id === undefined) throw new Error(`the group ${path} was not looked up`);
    return id;
  }

  /** The ids of the group and of all above it, the root first. */
  lineage(path: string): readonly number[] {
    return lineageOf(path).map((each) => this.idOf(each));
  }
}

const PATHS_PER_STATEMENT = 200;

/** Those of the groups, and of all above them, that there are. */
export async function findGroups(database: Database, paths: Iterable<string>): Promise<GroupPlaces> {
  return new GroupPlaces(await idsOf(database, withAllAbove(paths)));
}

/** The groups, made with all above them where they are not there. */
export async function ensureGroups(
  transaction: Database,
  paths: Iterable<string>,
  context: { readonly clock: Clock; readonly actor: Actor },
): Promise<GroupPlaces> {
  const wanted = withAllAbove(paths);
  const ids = await idsOf(transaction, wanted);
  const made: string[] = [];
  // A path is longer than all above it: what is above is there first.
  for (const path of wanted.filter((each) => !ids.has(each)).sort((a, b) => a.length - b.length)) {
    const parent = parentOf(path);
    const { id } = await transaction
      .insertInto('device_group')
      .values({ path, parent_id: parent === undefined ? null : ids.get(parent)!, created_at_ms: context.clock.now() })
      .returning('id')
      .executeTakeFirstOrThrow();
    ids.set(path, Number(id));
    made.push(path);
  }
  if (made.length > 0) {
    await new AuditTrail({ database: transaction, clock: context.clock }).record(
      made.map((path) => ({
        actor: context.actor,
        action: 'group.create',
        object: { kind: 'group', id: path },
        group: path,
        after: { path },
      })),
      transaction,
    );
  }
  return new GroupPlaces(ids);
}

function withAllAbove(paths: Iterable<string>): readonly string[] {
  const all = new Set<string>([ROOT_GROUP]);
  for (const path of paths) for (const each of lineageOf(path)) all.add(each);
  return [...all];
}

async function idsOf(database: Database, paths: readonly string[]): Promise<Map<string, number>> {
  const ids = new Map<string, number>();
  for (let start = 0; start < paths.length; start += PATHS_PER_STATEMENT) {
    const rows = await database
      .selectFrom('device_group')
      .select(['id', 'path'])
      .where('path', 'in', paths.slice(start, start + PATHS_PER_STATEMENT))
      .execute();
    for (const { id, path } of rows) ids.set(path, Number(id));
  }
  return ids;
}
