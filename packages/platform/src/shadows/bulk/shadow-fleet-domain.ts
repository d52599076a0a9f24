import { systemActor, type Actor } from '../../audit/actor.ts';
import type { Database } from '../../database/schema.ts';
import { isSelsynError, SelsynError } from '../../kernel/errors.ts';
import type { RandomBytes } from '../../kernel/secret.ts';
import type { Scope } from '../../registry/scope.ts';
import { isWithin, lineageOf, parentOf, ROOT_GROUP } from '../../registry/group-path.ts';
import type { DeviceStore } from '../../registry/device-store.ts';
import type { FleetStore } from '../../registry/fleet-store.ts';
import type { Batch } from '../../state/batch.ts';
import type { GroupChange, RegistryChange, RegistryFollower } from '../../state/registry-changes.ts';
import type { StateDomain } from '../../state/state-domain.ts';
import { DefaultWriting, type DefaultChange } from '../defaults/default-writing.ts';
import type { FleetRules } from '../defaults/fleet-rules.ts';
import { targetText, type ShadowDefault } from '../defaults/shadow-default.ts';
import type { ShadowDomain } from '../shadow-domain.ts';
import { ALL_SHADOWS, type ShadowUpdate, type ShadowUpdateDraft } from './shadow-update.ts';
import { isSeen, noUpdate, updateOf } from './shadow-update-store.ts';
import { endUpdate, groupSeenIn, UpdateStarting, type Starter } from './update-starting.ts';
import { STEP_CHANGES, UpdateStepping, type StepResult } from './update-stepping.ts';
import { sweepUpdates } from './update-sweep.ts';
import { inheritRule } from './update-rules.ts';

export type ShadowFleetWork =
  | { readonly kind: 'start'; readonly draft: ShadowUpdateDraft; readonly by: Starter }
  | { readonly kind: 'cancel'; readonly id: string; readonly actor: Actor; readonly scope: Scope }
  | { readonly kind: 'default'; readonly change: DefaultChange }
  | { readonly kind: 'step'; readonly id: string; readonly limit: number; readonly giveUp?: boolean }
  /** Takes away some of what is too old. */
  | { readonly kind: 'sweep' };

export type ShadowFleetResult =
  | { readonly kind: 'update'; readonly update: ShadowUpdate }
  /** `update`: brings it to the devices; undefined where it is what it was. */
  | { readonly kind: 'default'; readonly after: ShadowDefault | undefined; readonly update: ShadowUpdate | undefined }
  | ({ readonly kind: 'stepped' } & StepResult)
  | { readonly kind: 'swept'; readonly isOver: boolean }
  | { readonly kind: 'refused'; readonly error: SelsynError };

const GROUPS_MOVED = systemActor('shadow-defaults');

/** Shadows of many devices: defaults of groups and types, and updates of whole fleets. */
export class ShadowFleetDomain implements StateDomain<ShadowFleetWork, ShadowFleetResult>, RegistryFollower {
  readonly name = 'shadow-fleet';
  readonly #devices: Pick<DeviceStore, 'matching'>;
  readonly #shadows: Pick<ShadowDomain, 'apply'>;
  readonly #rules: FleetRules;
  readonly #defaults: DefaultWriting;
  readonly #starting: UpdateStarting;
  readonly #stepping: UpdateStepping;
  #onStart: () => void = () => {};

  constructor(dependencies: {
    /** Only read. */
    readonly registry: Database;
    readonly devices: Pick<DeviceStore, 'matching'>;
    readonly fleets: Pick<FleetStore, 'get'>;
    /** Those whose rules are the same ones. */
    readonly shadows: Pick<ShadowDomain, 'apply' | 'limits'>;
    readonly rules: FleetRules;
    readonly random: RandomBytes;
  }) {
    this.#devices = dependencies.devices;
    this.#shadows = dependencies.shadows;
    this.#rules = dependencies.rules;
    const { limits } = dependencies.shadows;
    this.#defaults = new DefaultWriting({ ...dependencies, limits });
    this.#starting = new UpdateStarting({ ...dependencies, limits });
    this.#stepping = new UpdateStepping(dependencies);
  }

  /** Told when there is an update to go on with. */
  set onStart(onStart: () => void) {
    this.#onStart = onStart;
  }

  async apply(works: readonly ShadowFleetWork[], batch: Batch): Promise<readonly ShadowFleetResult[]> {
    const results: ShadowFleetResult[] = [];
    for (const work of works) results.push(await this.#apply(work, batch));
    return results;
  }

  async registryChanged(changes: readonly RegistryChange[], batch: Batch): Promise<void> {
    const { shadows } = await this.#rules.defaults(batch);
    if (shadows.size === 0) return;
    const devices = changes.filter(({ kind }) => kind === 'put').map(({ device }) => device);
    const works = devices.flatMap((device) =>
      [...shadows].map((shadow) => ({
        kind: 'change' as const,
        device,
        shadow,
        rule: inheritRule(() => this.#rules.inheritanceOf({ device, shadow })),
        author: 'system:shadow-defaults',
      })),
    );
    for (let start = 0; start < works.length; start += STEP_CHANGES)
      await this.#shadows.apply(works.slice(start, start + STEP_CHANGES), batch);
  }

  async groupChanged({ from, to }: GroupChange, batch: Batch): Promise<void> {
    this.#rules.forget();
    if (to !== undefined) await moveScopes(from, to, batch);
    const tree = await this.#rules.defaults(batch);
    if (tree.shadows.size === 0) return;
    if (to === undefined) {
      if (!(await this.#defaults.dropOrphans(batch))) return;
      this.#rules.forget();
      // They stand in the group above now, with those that always did.
      const above = parentOf(from) ?? ROOT_GROUP;
      await this.#inheritAgain(`group:${above}`, { filter: `group = ${JSON.stringify(above)}` }, [above], batch);
      return;
    }
    const [before, after] = [from, to].map((path) => new Set(lineageOf(parentOf(path) ?? ROOT_GROUP)));
    const other = [...(before ?? []), ...(after ?? [])].filter((path) => !(before?.has(path) && after?.has(path)));
    if (tree.hasGroup(other)) await this.#inheritAgain(`group:${to}`, { group: to }, [to], batch);
  }

  async #apply(work: ShadowFleetWork, batch: Batch): Promise<ShadowFleetResult> {
    try {
      switch (work.kind) {
        case 'start': {
          const update = await this.#starting.start(work.draft, work.by, batch);
          batch.afterCommit(() => this.#onStart());
          return { kind: 'update', update };
        }
        case 'cancel':
          return { kind: 'update', update: await this.#cancel(work, batch) };
        case 'default':
          return await this.#changeDefault(work.change, batch);
        case 'step':
          return {
            kind: 'stepped',
            ...(await this.#stepping.step(work.id, work.limit, batch, { giveUp: work.giveUp === true })),
          };
        case 'sweep':
          return { kind: 'swept', isOver: await sweepUpdates(batch) };
      }
    } catch (error) {
      // Nothing is written before what can be refused is checked.
      if (
        work.kind !== 'step' &&
        work.kind !== 'sweep' &&
        isSelsynError(error) &&
        !isSelsynError(error, 'internal', 'data.corrupt', 'data.unwritable')
      )
        return { kind: 'refused', error };
      throw error;
    }
  }

  async #cancel(work: ShadowFleetWork & { kind: 'cancel' }, batch: Batch): Promise<ShadowUpdate> {
    const { id, scope, actor } = work;
    const { transaction, nowMs } = batch;
    const row = await transaction.selectFrom('shadow_update').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined || !isSeen(row, scope)) throw noUpdate(id);
    const update = updateOf(row);
    if (update.state === 'cancelled') return update;
    if (update.state === 'done' || update.kind === 'defaults') {
      const why =
        update.state === 'done' ? 'is done' : 'brings a default to devices: change the default back, and it is taken over';
      throw new SelsynError('shadow-update.not-cancellable', `the update ${id} ${why}`, { details: { id, state: update.state } });
    }
    await endUpdate(id, 'cancelled', batch);
    batch.audit({
      actor,
      action: 'shadow-update.cancel',
      object: { kind: 'shadow-update', id },
      group: groupSeenIn(JSON.parse(row.seen_in) as readonly string[]),
      before: { done: update.done, total: update.total },
    });
    return { ...update, state: 'cancelled', updatedAtMs: nowMs, finishedAtMs: nowMs };
  }

  async #changeDefault(change: DefaultChange, batch: Batch): Promise<ShadowFleetResult> {
    const { target, shadow, actor } = change;
    const { after, isNew } = await this.#defaults.change(change, batch);
    if (!isNew) return { kind: 'default', after, update: undefined };
    const isGroup = target.kind === 'group';
    const members = await this.#devices.matching(
      isGroup ? { group: target.path } : { filter: `type = ${JSON.stringify(target.name)}` },
    );
    const seenIn = [isGroup ? target.path : ROOT_GROUP];
    const update = await this.#starting.startDefaults({ target: targetText(target), shadow, members, seenIn, actor }, batch);
    batch.afterCommit(() => this.#onStart());
    return { kind: 'default', after, update };
  }

  async #inheritAgain(
    target: string,
    query: { readonly group?: string; readonly filter?: string },
    seenIn: readonly string[],
    batch: Batch,
  ): Promise<void> {
    const members = await this.#devices.matching(query);
    if (members.isEmpty) return;
    await this.#starting.startDefaults({ target, shadow: ALL_SHADOWS, members, seenIn, actor: GROUPS_MOVED }, batch);
    batch.afterCommit(() => this.#onStart());
  }
}

/** Who may do what at a group may do it where the group is now. */
async function moveScopes(from: string, to: string, { transaction }: Batch): Promise<void> {
  const moved = (text: string): string =>
    JSON.stringify(
      (JSON.parse(text) as readonly string[]).map((path) => (isWithin(path, from) ? to + path.slice(from.length) : path)),
    );
  const rows = await transaction.selectFrom('shadow_update').select(['id', 'scope', 'seen_in']).execute();
  for (const { id, scope, seen_in: seenIn } of rows) {
    const next = { scope: moved(scope), seen_in: moved(seenIn) };
    if (next.scope === scope && next.seen_in === seenIn) continue;
    await transaction.updateTable('shadow_update').set(next).where('id', '=', id).execute();
  }
}
