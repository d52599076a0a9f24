import type { Selectable } from 'kysely';
import type { Database, StateDatabase } from '../../database/schema.ts';
import type { ShadowDefaultTable } from '../../database/tables/shadow-fleet-tables.ts';
import { chunksOf } from '../../registry/statement-chunks.ts';
import type { JsonObject } from '../shadow-document.ts';
import type { DefaultTarget, ShadowDefault } from './shadow-default.ts';

/** A group or type, as the state knows it. */
export interface TargetPlace {
  readonly key: string;
  /** What is older is of another one. */
  readonly sinceMs: number;
}

/** Reads defaults: from the state what they are, from the registry where their groups are. */
export class ShadowDefaultStore {
  readonly #state: StateDatabase;
  readonly #registry: Database;

  constructor(databases: { readonly state: StateDatabase; readonly registry: Database }) {
    this.#state = databases.state;
    this.#registry = databases.registry;
  }

  /** Those whose group or type is there, types first, then by path, then by shadow. */
  async list(): Promise<readonly ShadowDefault[]> {
    const rows = await this.#state.selectFrom('shadow_default').selectAll().where('desired', '!=', '').execute();
    return await this.#read(rows);
  }

  /**
   * Some of them, in the order of `list`: what the others want is not read.
   *
   * @param query.after as `orderOf` says: those behind it.
   * @param query.isMeant which of them.
   */
  async page(query: {
    readonly isMeant: (target: DefaultTarget) => boolean;
    readonly after: string | undefined;
    readonly limit: number;
  }): Promise<readonly ShadowDefault[]> {
    const { isMeant, after, limit } = query;
    const keys = await this.#state
      .selectFrom('shadow_default')
      .select(['kind', 'target', 'shadow', 'created_at_ms'])
      .where('desired', '!=', '')
      .execute();
    const targets = await this.#targetsOf(keys);
    const places = keys.flatMap((key) => {
      const target = targets.get(`${key.kind} ${key.target}`);
      if (target === undefined || Number(key.created_at_ms) < target.sinceMs || !isMeant(target)) return [];
      const place = orderOf({ target, shadow: key.shadow });
      return after === undefined || place > after ? [{ key, place }] : [];
    });
    const wanted = places.sort((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : 0)).slice(0, limit);
    const rows: Selectable<ShadowDefaultTable>[] = [];
    for (const { key } of wanted) {
      const row = await this.#state
        .selectFrom('shadow_default')
        .selectAll()
        .where('kind', '=', key.kind)
        .where('target', '=', key.target)
        .where('shadow', '=', key.shadow)
        .executeTakeFirst();
      if (row !== undefined && row.desired !== '') rows.push(row);
    }
    return rows.flatMap((row) => defaultOf(row, targets.get(`${row.kind} ${row.target}`)) ?? []);
  }

  async find(target: DefaultTarget, shadow: string): Promise<ShadowDefault | undefined> {
    const place = await this.placeOf(target);
    if (place === undefined) return undefined;
    const rows = await this.#state
      .selectFrom('shadow_default')
      .selectAll()
      .where('kind', '=', target.kind)
      .where('target', '=', place.key)
      .where('shadow', '=', shadow)
      .where('desired', '!=', '')
      .execute();
    return (await this.#read(rows))[0];
  }

  /** Of all shadows that have or had a default: others inherit nothing. */
  async shadows(): Promise<readonly string[]> {
    const rows = await this.#state.selectFrom('shadow_default').select('shadow').distinct().execute();
    return rows.map(({ shadow }) => shadow);
  }

  /** By what its target is kept. Undefined: there is no such group, or type. */
  async placeOf(target: DefaultTarget): Promise<TargetPlace | undefined> {
    if (target.kind === 'type') {
      const type = await this.#registry
        .selectFrom('device_type')
        .select('created_at_ms')
        .where('name', '=', target.name)
        .executeTakeFirst();
      return type === undefined ? undefined : { key: target.name, sinceMs: Number(type.created_at_ms) };
    }
    const group = await this.#registry.selectFrom('device_group').select('id').where('path', '=', target.path).executeTakeFirst();
    return group === undefined ? undefined : { key: String(group.id), sinceMs: 0 };
  }

  async #read(rows: readonly Selectable<ShadowDefaultTable>[]): Promise<readonly ShadowDefault[]> {
    const targets = await this.#targetsOf(rows);
    return rows.flatMap((row) => defaultOf(row, targets.get(`${row.kind} ${row.target}`)) ?? []).sort(inOrder);
  }

  /** The groups and types that there are, by kind and key. */
  async #targetsOf(
    rows: readonly Pick<Selectable<ShadowDefaultTable>, 'kind' | 'target'>[],
  ): Promise<ReadonlyMap<string, DefaultTarget & { readonly sinceMs: number }>> {
    const targets = new Map<string, DefaultTarget & { readonly sinceMs: number }>();
    for (const ids of chunksOf(rows.filter(({ kind }) => kind === 'group').map(({ target }) => Number(target)))) {
      const groups = await this.#registry.selectFrom('device_group').select(['id', 'path']).where('id', 'in', ids).execute();
      for (const { id, path } of groups) targets.set(`group ${id}`, { kind: 'group', path, sinceMs: 0 });
    }
    for (const names of chunksOf(rows.filter(({ kind }) => kind === 'type').map(({ target }) => target))) {
      const types = await this.#registry
        .selectFrom('device_type')
        .select(['name', 'created_at_ms'])
        .where('name', 'in', names)
        .execute();
      for (const { name, created_at_ms: since } of types)
        targets.set(`type ${name}`, { kind: 'type', name, sinceMs: Number(since) });
    }
    return targets;
  }
}

/** @returns undefined for that of a group or type which is no more, also where there is another type of the same name. */
function defaultOf(
  row: Selectable<ShadowDefaultTable>,
  target: (DefaultTarget & { readonly sinceMs: number }) | undefined,
): ShadowDefault | undefined {
  if (target === undefined || Number(row.created_at_ms) < target.sinceMs) return undefined;
  return {
    target: target.kind === 'group' ? { kind: 'group', path: target.path } : { kind: 'type', name: target.name },
    shadow: row.shadow,
    desired: JSON.parse(row.desired) as JsonObject,
    version: Number(row.version),
    createdAtMs: Number(row.created_at_ms),
    updatedAtMs: Number(row.updated_at_ms),
  };
}

function inOrder(a: ShadowDefault, b: ShadowDefault): number {
  const [left, right] = [orderOf(a), orderOf(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Where a default stands in lists. */
export function orderOf({ target, shadow }: Pick<ShadowDefault, 'target' | 'shadow'>): string {
  return `${target.kind === 'type' ? `0 ${target.name}` : `1 ${target.path}`} ${shadow}`;
}
