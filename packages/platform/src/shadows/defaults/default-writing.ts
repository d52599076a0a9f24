import type { Actor } from '../../audit/actor.ts';
import type { Database } from '../../database/schema.ts';
import { SelsynError } from '../../kernel/errors.ts';
import { noGroup } from '../../registry/group-store.ts';
import { isEverything, scopeIncludes, type Scope } from '../../registry/scope.ts';
import { chunksOf } from '../../registry/statement-chunks.ts';
import type { Batch } from '../../state/batch.ts';
import type { JsonObject } from '../shadow-document.ts';
import { patchFault, type ShadowLimits } from '../shadow-rules.ts';
import type { FleetRules } from './fleet-rules.ts';
import { inheritedFrom } from './inheritance.ts';
import {
  MAX_INHERITED_BYTES,
  MAX_SHADOW_DEFAULTS,
  targetText,
  type DefaultTarget,
  type ShadowDefault,
} from './shadow-default.ts';
import { ShadowDefaultStore, type TargetPlace } from './shadow-default-store.ts';

export interface DefaultChange {
  readonly target: DefaultTarget;
  readonly shadow: string;
  /** Undefined: removed. */
  readonly desired: JsonObject | undefined;
  /** 0: there must be none. */
  readonly expectedVersion?: number | undefined;
  readonly actor: Actor;
  readonly scope: Scope;
}

/** Writes defaults, within a batch. */
export class DefaultWriting {
  readonly #registry: Database;
  readonly #rules: FleetRules;
  readonly #limits: ShadowLimits;

  /** @param dependencies.limits those of the shadows. */
  constructor(dependencies: { readonly registry: Database; readonly rules: FleetRules; readonly limits: ShadowLimits }) {
    this.#limits = dependencies.limits;
    this.#registry = dependencies.registry;
    this.#rules = dependencies.rules;
  }

  /**
   * @returns what it is now, undefined where it was removed; and whether that is something else than before.
   * @throws SelsynError `group.not-found`, `device-type.not-found`, `access.denied`, `request.invalid`, `shadow.refused`,
   *   `shadow-default.not-found`, `shadow-default.conflict`
   */
  async change(
    change: DefaultChange,
    batch: Batch,
  ): Promise<{ readonly after: ShadowDefault | undefined; readonly isNew: boolean }> {
    const { target, shadow, desired, actor } = change;
    const store = new ShadowDefaultStore({ state: batch.transaction, registry: this.#registry });
    const { key, sinceMs } = await this.#placeOf(change, store);
    if (desired !== undefined) await this.#check(target, shadow, desired);
    const row = await batch.transaction
      .selectFrom('shadow_default')
      .selectAll()
      .where('kind', '=', target.kind)
      .where('target', '=', key)
      .where('shadow', '=', shadow)
      .executeTakeFirst();
    const known = await store.find(target, shadow);
    if (desired === undefined && known === undefined) throw noDefault(target, shadow);
    const version = known?.version ?? 0;
    if (change.expectedVersion !== undefined && change.expectedVersion !== version) {
      throw new SelsynError('shadow-default.conflict', `the default of ${targetText(target)} has version ${version}`, {
        details: { target: targetText(target), shadow, version },
      });
    }
    const text = desired === undefined ? '' : JSON.stringify(desired);
    if (known !== undefined && row?.desired === text) return { after: known, isNew: false };
    const before = known?.desired;
    const createdAtMs = known?.createdAtMs ?? Math.max(sinceMs, batch.nowMs);
    if (row === undefined) await this.#makeRoom(batch);
    const columns = {
      desired: text,
      version: Number(row?.version ?? 0) + 1,
      created_at_ms: createdAtMs,
      updated_at_ms: batch.nowMs,
    };
    await batch.transaction
      .insertInto('shadow_default')
      .values({ kind: target.kind, target: key, shadow, ...columns })
      .onConflict((conflict) => conflict.columns(['kind', 'target', 'shadow']).doUpdateSet(columns))
      .execute();
    this.#rules.forget();
    // Whatever was made of it goes with the batch.
    batch.onRollback(() => this.#rules.forget());
    batch.audit({
      actor,
      action:
        desired === undefined
          ? 'shadow-default.delete'
          : before === undefined
            ? 'shadow-default.create'
            : 'shadow-default.update',
      object: { kind: 'shadow-default', id: shadow === '' ? targetText(target) : `${targetText(target)} ${shadow}` },
      group: target.kind === 'group' ? target.path : '/',
      before,
      after: desired,
    });
    const after = { target, shadow, desired: desired ?? {}, version: columns.version, createdAtMs, updatedAtMs: batch.nowMs };
    return { after: desired === undefined ? undefined : after, isNew: true };
  }

  /** Those of groups that are no more go. @returns whether there were any. */
  async dropOrphans(batch: Batch): Promise<boolean> {
    const rows = await batch.transaction
      .selectFrom('shadow_default')
      .select('target')
      .distinct()
      .where('kind', '=', 'group')
      .where('desired', '!=', '')
      .execute();
    const known = new Set<string>();
    for (const ids of chunksOf(rows.map(({ target }) => Number(target)))) {
      const groups = await this.#registry.selectFrom('device_group').select('id').where('id', 'in', ids).execute();
      for (const { id } of groups) known.add(String(id));
    }
    const orphans = rows.map(({ target }) => target).filter((target) => !known.has(target));
    for (const targets of chunksOf(orphans)) {
      await batch.transaction
        .updateTable('shadow_default')
        .set((builder) => ({ desired: '', version: builder('version', '+', 1), updated_at_ms: batch.nowMs }))
        .where('kind', '=', 'group')
        .where('target', 'in', targets)
        .where('desired', '!=', '')
        .execute();
    }
    return orphans.length > 0;
  }

  async #placeOf({ target, scope }: DefaultChange, store: ShadowDefaultStore): Promise<TargetPlace> {
    const place = await store.placeOf(target);
    if (target.kind === 'group') {
      if (place === undefined || !scopeIncludes(scope, target.path)) throw noGroup(target.path);
      return place;
    }
    if (!isEverything(scope)) {
      throw new SelsynError(
        'access.denied',
        'a device type has devices everywhere: its defaults are for those who may change all',
        {
          details: { target: targetText(target) },
        },
      );
    }
    if (place !== undefined) return place;
    throw new SelsynError('device-type.not-found', `there is no device type ${target.name}`, { details: { name: target.name } });
  }

  async #check(target: DefaultTarget, shadow: string, desired: JsonObject): Promise<void> {
    const fault = patchFault({ desired }, this.#limits);
    if (fault !== undefined) throw new SelsynError('request.invalid', fault.message, { details: { field: 'desired' } });
    const bytes = Buffer.byteLength(JSON.stringify(desired));
    if (bytes > MAX_INHERITED_BYTES) {
      throw new SelsynError('request.invalid', `a default has at most ${MAX_INHERITED_BYTES} bytes, and this ${bytes}`, {
        details: { field: 'desired' },
      });
    }
    if (target.kind !== 'type') return;
    // Of a type it is known what fits; devices of several types are below a group.
    await this.#rules.schemas.refresh();
    const misfit = this.#rules.schemas.of(target.name, shadow)?.inheritedFault(inheritedFrom([desired]) ?? {});
    if (misfit !== undefined)
      throw new SelsynError('shadow.refused', misfit, { details: { target: targetText(target), shadow } });
  }

  async #makeRoom({ transaction }: Batch): Promise<void> {
    const { count } = await transaction
      .selectFrom('shadow_default')
      .select((builder) => builder.fn.countAll().as('count'))
      .executeTakeFirstOrThrow();
    if (Number(count) < MAX_SHADOW_DEFAULTS) return;
    await transaction.deleteFrom('shadow_default').where('desired', '=', '').execute();
    const { left } = await transaction
      .selectFrom('shadow_default')
      .select((builder) => builder.fn.countAll().as('left'))
      .executeTakeFirstOrThrow();
    if (Number(left) >= MAX_SHADOW_DEFAULTS)
      throw new SelsynError('request.invalid', `there are ${MAX_SHADOW_DEFAULTS} defaults, which is as many as there can be`);
  }
}

function noDefault(target: DefaultTarget, shadow: string): SelsynError {
  const which = shadow === '' ? 'the shadow without a name' : `the shadow ${shadow}`;
  return new SelsynError('shadow-default.not-found', `${targetText(target)} has no default for ${which}`, {
    details: { target: targetText(target), shadow },
  });
}
