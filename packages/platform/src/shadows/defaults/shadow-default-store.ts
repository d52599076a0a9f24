import type { Selectable } from 'kysely';
import type { Database, StateDatabase } from '../../database/schema.ts';
import type { ShadowDefaultTable } from '../../database/tables/shadow-fleet-tables.ts';
import { chunksOf } from '../../registry/statement-chunks.ts';
import type { JsonObject } from '../shadow-document.ts';
import type { DefaultTarget, ShadowDefault } from './shadow-default.ts';

/** Reads defaults: from the state what they are, from the registry where their groups are. */
export class ShadowDefaultStore {
  readonly #state: StateDatabase;
  readonly #registry: Database;

  constructor(databases: { readonly state: StateDatabase; readonly registry: Database }) {
    this.#state = databases.state;
    this.#registry = databases.registry;
  }

  /** Those whose group is there, types first, then by path, then by shadow. */
  async list(): Promise<readonly ShadowDefault[]> {
    const rows = await this.#state.selectFrom('shadow_default').selectAll().where('desired', '!=', '').execute();
    return await this.#read(rows);
  }

  async find(target: DefaultTarget, shadow: string): Promise<ShadowDefault | undefined> {
    const key = await this.keyOf(target);
    if (key === undefined) return undefined;
    const rows = await this.#state
      .selectFrom('shadow_default')
      .selectAll()
      .where('kind', '=', target.kind)
      .where('target', '=', key)
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
  async keyOf(target: DefaultTarget): Promise<string | undefined> {
    if (target.kind === 'type') {
      const type = await this.#registry
        .selectFrom('device_type')
        .select('name')
        .where('name', '=', target.name)
        .executeTakeFirst();
      return type?.name;
    }
    const row = await this.#registry.selectFrom('device_group').select('id').where('path', '=', target.path).executeTakeFirst();
    return row === undefined ? undefined : String(row.id);
  }

  async #read(rows: readonly Selectable<ShadowDefaultTable>[]): Promise<readonly ShadowDefault[]> {
    const paths = new Map<string, string>();
    for (const ids of chunksOf(rows.filter(({ kind }) => kind === 'group').map(({ target }) => Number(target)))) {
      const groups = await this.#registry.selectFrom('device_group').select(['id', 'path']).where('id', 'in', ids).execute();
      for (const { id, path } of groups) paths.set(String(id), path);
    }
    return rows.flatMap((row) => defaultOf(row, paths) ?? []).sort(inOrder);
  }
}

/** @returns undefined for that of a group which is no more. */
function defaultOf(row: Selectable<ShadowDefaultTable>, paths: ReadonlyMap<string, string>): ShadowDefault | undefined {
  const target = targetOf(row, paths);
  if (target === undefined) return undefined;
  return {
    target,
    shadow: row.shadow,
    desired: JSON.parse(row.desired) as JsonObject,
    version: Number(row.version),
    createdAtMs: Number(row.created_at_ms),
    updatedAtMs: Number(row.updated_at_ms),
  };
}

function targetOf(
  { kind, target }: Pick<ShadowDefaultTable, 'kind' | 'target'>,
  paths: ReadonlyMap<string, string>,
): DefaultTarget | undefined {
  if (kind === 'type') return { kind, name: target };
  const path = paths.get(target);
  return path === undefined ? undefined : { kind: 'group', path };
}

function inOrder(a: ShadowDefault, b: ShadowDefault): number {
  const [left, right] = [placeOf(a), placeOf(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Of a default in the order of lists. */
export function placeOf({ target, shadow }: ShadowDefault): string {
  return `${target.kind === 'type' ? `0 ${target.name}` : `1 ${target.path}`} ${shadow}`;
}
