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
    return rows.flatMap((row) => defaultOf(row, targets.get(`${row.kind} ${row.target}`)) ?? []).sort(inOrder);
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
export function orderOf({ target, shadow }: ShadowDefault): string {
  return `${target.kind === 'type' ? `0 ${target.name}` : `1 ${target.path}`} ${shadow}`;
}
