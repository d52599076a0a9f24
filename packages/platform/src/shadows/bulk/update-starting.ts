import type { Actor } from '../../audit/actor.ts';
import type { Database } from '../../database/schema.ts';
import type { RandomBytes } from '../../kernel/secret.ts';
import { SelsynError } from '../../kernel/errors.ts';
import type { DeviceStore } from '../../registry/device-store.ts';
import { membersOf, type FleetStore } from '../../registry/fleet-store.ts';
import { noGroup } from '../../registry/group-store.ts';
import { ROOT_GROUP } from '../../registry/group-path.ts';
import { DeviceSet } from '../../registry/index/device-set.ts';
import { scopeIncludes, type Scope } from '../../registry/scope.ts';
import { chunksOf } from '../../registry/statement-chunks.ts';
import type { Batch } from '../../state/batch.ts';
import { patchFault, type ShadowLimits } from '../shadow-rules.ts';
import {
  checkShadowName,
  DEFAULT_RATE_PER_SEC,
  MAX_RATE_PER_SEC,
  parseUpdateTarget,
  type ShadowUpdate,
  type ShadowUpdateDraft,
  type UpdateTarget,
} from './shadow-update.ts';
import { dropMembers, writeMembers } from './update-members.ts';
import { SortableIds } from '../../kernel/sortable-ids.ts';

/** Updates that run or wait, made by people and programs. */
const MAX_RUNNING = 100;
const FAILURES_PER_STATEMENT = 500;

/** Whom an update is for. */
interface Members {
  readonly set: DeviceSet;
  /** Devices that were named and are not there. */
  readonly missing: readonly string[];
  /** Who sees all of these sees the update. */
  readonly seenIn: readonly string[];
}

/** Who makes an update. */
export interface Starter {
  readonly actor: Actor;
  /** Where they may change shadows. */
  readonly scope: Scope;
  /** Where they see fleets. */
  readonly fleetScope: Scope;
}

/** An update of defaults: what makes it is in the same batch. */
export interface DefaultsUpdate {
  readonly target: string;
  readonly shadow: string;
  readonly members: DeviceSet;
  readonly seenIn: readonly string[];
  readonly actor: Actor;
}

/** Makes updates of many shadows, and fixes whom they are for. */
export class UpdateStarting {
  readonly #registry: Database;
  readonly #devices: Pick<DeviceStore, 'matching'>;
  readonly #fleets: Pick<FleetStore, 'get'>;
  readonly #limits: ShadowLimits;
  readonly #ids: SortableIds;

  constructor(dependencies: {
    readonly registry: Database;
    readonly devices: Pick<DeviceStore, 'matching'>;
    readonly fleets: Pick<FleetStore, 'get'>;
    /** Those of the shadows. */
    readonly limits: ShadowLimits;
    readonly random: RandomBytes;
  }) {
    this.#registry = dependencies.registry;
    this.#devices = dependencies.devices;
    this.#fleets = dependencies.fleets;
    this.#limits = dependencies.limits;
    this.#ids = new SortableIds(dependencies.random);
  }

  /**
   * @throws SelsynError `request.invalid`, `group.not-found`, `fleet.not-found`, `device-type.not-found`, `state.busy` when too many
   *   are running
   */
  async start(draft: ShadowUpdateDraft, { actor, scope, fleetScope }: Starter, batch: Batch): Promise<ShadowUpdate> {
    const { shadow = '', desired, expectedVersion, ratePerSec = DEFAULT_RATE_PER_SEC } = draft;
    checkShadowName(shadow);
    const fault = patchFault({ desired }, this.#limits);
    if (fault !== undefined) throw invalid('desired', fault.message);
    const { maxDocumentBytes } = this.#limits;
    if (Buffer.byteLength(JSON.stringify(desired)) > maxDocumentBytes)
      throw invalid('desired', `desired has at most ${maxDocumentBytes} bytes`);
    if (!Number.isInteger(ratePerSec) || ratePerSec < 1 || ratePerSec > MAX_RATE_PER_SEC)
      throw invalid('ratePerSec', `a rate is 1 to ${MAX_RATE_PER_SEC} devices a second`);
    await this.#ensureRoom(batch);
    const target = parseUpdateTarget(draft.target);
    const members = await this.#membersOf(target, scope, fleetScope);
    const update = await this.#insert(batch, {
      kind: 'desired',
      target: typeof draft.target === 'string' ? draft.target : 'devices',
      shadow,
      desired: JSON.stringify(desired),
      expectedVersion,
      ratePerSec,
      scope: scope.groups,
      actor,
      ...members,
    });
    batch.audit({
      actor,
      action: 'shadow-update.create',
      object: { kind: 'shadow-update', id: update.id },
      group: groupSeenIn(members.seenIn),
      after: { target: update.target, shadow, desired, total: update.total, ratePerSec },
    });
    return update;
  }

  /** Brings what devices inherit to them. One that is under way for the same target is taken over: it would do nothing else. */
  async startDefaults({ target, shadow, members, seenIn, actor }: DefaultsUpdate, batch: Batch): Promise<ShadowUpdate> {
    const running = await batch.transaction
      .selectFrom('shadow_update')
      .select('id')
      .where('state', '=', 'running')
      .where('kind', '=', 'defaults')
      .where('target', '=', target)
      .where('shadow', '=', shadow)
      .execute();
    for (const { id } of running) await endUpdate(id, 'cancelled', batch);
    return await this.#insert(batch, {
      kind: 'defaults',
      target,
      shadow,
      desired: '{}',
      expectedVersion: undefined,
      ratePerSec: DEFAULT_RATE_PER_SEC,
      scope: ['/'],
      actor,
      set: members,
      missing: [],
      seenIn,
    });
  }

  async #membersOf(target: UpdateTarget, scope: Scope, fleetScope: Scope): Promise<Members> {
    switch (target.kind) {
      case 'group': {
        const { path } = target;
        const row = await this.#registry.selectFrom('device_group').select('id').where('path', '=', path).executeTakeFirst();
        if (row === undefined || !scopeIncludes(scope, path)) throw noGroup(path);
        return { set: await this.#devices.matching({ group: path, scope }), missing: [], seenIn: [path] };
      }
      case 'fleet': {
        const fleet = await this.#fleets.get(target.id, fleetScope);
        const seenIn = scopeIncludes(scope, fleet.group) ? [fleet.group] : scope.groups;
        return { set: await this.#devices.matching({ ...membersOf(fleet), scope }), missing: [], seenIn };
      }
      case 'type': {
        const { name } = target;
        const row = await this.#registry.selectFrom('device_type').select('name').where('name', '=', name).executeTakeFirst();
        if (row === undefined)
          throw new SelsynError('device-type.not-found', `there is no device type ${name}`, { details: { name } });
        const filter = `type = ${JSON.stringify(name)}`;
        return { set: await this.#devices.matching({ filter, scope }), missing: [], seenIn: scope.groups };
      }
      case 'filter':
        return { set: await this.#devices.matching({ filter: target.filter, scope }), missing: [], seenIn: scope.groups };
      case 'devices':
        return await this.#named(target.ids, scope);
    }
  }

  async #named(ids: readonly string[], scope: Scope): Promise<Members> {
    const set = new DeviceSet();
    const found = new Set<string>();
    for (const some of chunksOf(ids)) {
      const rows = await this.#registry
        .selectFrom('device')
        .innerJoin('device_group', 'device_group.id', 'device.group_id')
        .select(['device.id', 'device.number', 'device_group.path'])
        .where('device.id', 'in', some)
        .execute();
      for (const { id, number, path } of rows) {
        if (number === null || !scopeIncludes(scope, path)) continue;
        found.add(id);
        set.add(Number(number));
      }
    }
    return { set, missing: ids.filter((id) => !found.has(id)), seenIn: scope.groups };
  }

  async #ensureRoom({ transaction }: Batch): Promise<void> {
    const { count } = await transaction
      .selectFrom('shadow_update')
      .select((builder) => builder.fn.countAll().as('count'))
      .where('state', '=', 'running')
      .where('kind', '=', 'desired')
      .executeTakeFirstOrThrow();
    if (Number(count) < MAX_RUNNING) return;
    throw new SelsynError('state.busy', `${MAX_RUNNING} updates of shadows are running: wait for one, or cancel one`, {
      retryable: true,
    });
  }

  async #insert(
    { transaction, nowMs }: Batch,
    made: Members & {
      readonly kind: 'desired' | 'defaults';
      readonly target: string;
      readonly shadow: string;
      readonly desired: string;
      readonly expectedVersion: number | undefined;
      readonly ratePerSec: number;
      readonly scope: readonly string[];
      readonly actor: Actor;
    },
  ): Promise<ShadowUpdate> {
    const { kind, target, shadow, desired, expectedVersion, ratePerSec, actor, set, missing } = made;
    const id = this.#ids.next(nowMs);
    const members = set.count();
    const isOver = members === 0;
    const { remoteAddress: _left, ...startedBy } = actor;
    const counts = { total: members + missing.length, done: 0, unchanged: 0, failed: missing.length };
    await transaction
      .insertInto('shadow_update')
      .values({
        id,
        kind,
        state: isOver ? 'done' : 'running',
        target,
        shadow,
        desired,
        expected_version: expectedVersion ?? null,
        rate_per_sec: ratePerSec,
        scope: JSON.stringify(made.scope),
        seen_in: JSON.stringify(made.seenIn),
        actor: JSON.stringify(startedBy),
        ...counts,
        cursor: -1,
        created_at_ms: nowMs,
        updated_at_ms: nowMs,
        finished_at_ms: isOver ? nowMs : null,
      })
      .execute();
    await writeMembers(transaction, id, set);
    for (let start = 0; start < missing.length; start += FAILURES_PER_STATEMENT) {
      const rows = missing
        .slice(start, start + FAILURES_PER_STATEMENT)
        .map((device) => ({ update_id: id, device, code: 'device.not-found', reason: `there is no device ${device}` }));
      await transaction.insertInto('shadow_update_failure').values(rows).execute();
    }
    return {
      id,
      kind,
      state: isOver ? 'done' : 'running',
      target,
      shadow,
      desired: JSON.parse(desired) as ShadowUpdate['desired'],
      ...(expectedVersion !== undefined && { expectedVersion }),
      ratePerSec,
      startedBy,
      ...counts,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      ...(isOver && { finishedAtMs: nowMs }),
    };
  }
}

/** The group of an update in the audit trail: what may be in several is for those who see all. */
export function groupSeenIn([only = ROOT_GROUP, ...others]: readonly string[]): string {
  return others.length === 0 ? only : ROOT_GROUP;
}

/** What is left of it is not done. */
export async function endUpdate(id: string, state: 'done' | 'cancelled', { transaction, nowMs }: Batch): Promise<void> {
  await transaction
    .updateTable('shadow_update')
    .set({ state, updated_at_ms: nowMs, finished_at_ms: nowMs })
    .where('id', '=', id)
    .execute();
  await dropMembers(transaction, id);
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field } });
}
