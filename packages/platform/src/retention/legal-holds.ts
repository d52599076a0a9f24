import type { Actor } from '../audit/actor.ts';
import { AuditTrail } from '../audit/audit-trail.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import type { LegalHoldTable } from '../database/tables/retention-tables.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { readDevices } from '../registry/device-rows.ts';
import { noGroup } from '../registry/group-store.ts';
import { covers, devicesThatLeft, heldError } from '../registry/held-devices.ts';
import { ROOT_GROUP } from '../registry/group-path.ts';
import { isEverything, scopeIncludes, EVERYTHING, type Scope } from '../registry/scope.ts';
import type { HoldTarget, LegalHold, LegalHolds } from './legal-hold.ts';

export const MAX_REASON = 1000;
/** A look at a device goes through all that are in force. */
export const MAX_HOLDS = 1000;

/** The legal holds, in force and released. Each change is in the audit trail; what removes data asks in its own transaction. */
export class LegalHoldStore implements LegalHolds {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #audit: AuditTrail;

  constructor(dependencies: { readonly database: Database; readonly clock: Clock }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#audit = new AuditTrail(dependencies);
  }

  /**
   * @throws SelsynError `request.invalid`, `device.not-found`, `group.not-found`, `device-type.not-found`, `access.denied` for a
   *   hold on a type by somebody who may not act everywhere
   */
  async create(target: HoldTarget, reason: string, actor: Actor, scope: Scope = EVERYTHING): Promise<LegalHold> {
    if (reason.trim() === '' || reason.length > MAX_REASON) {
      throw new SelsynError('request.invalid', `a reason has 1 to ${MAX_REASON} characters`, { details: { field: 'reason' } });
    }
    return await inTransaction(this.#database, async (transaction) => {
      const store = new LegalHoldStore({ database: transaction, clock: this.#clock });
      const group = await store.#groupOf(target, scope);
      const { count } = await transaction
        .selectFrom('legal_hold')
        .select((builder) => builder.fn.countAll().as('count'))
        .where('released_at_ms', 'is', null)
        .executeTakeFirstOrThrow();
      if (Number(count) >= MAX_HOLDS) {
        throw new SelsynError(
          'request.invalid',
          `${MAX_HOLDS} holds are in force, which is as many as there can be: hold a group`,
        );
      }
      const row = await transaction
        .insertInto('legal_hold')
        .values({
          kind: target.kind,
          target: nameOf(target),
          reason,
          created_at_ms: this.#clock.now(),
          created_by: actor.name,
          released_at_ms: null,
          released_by: null,
        })
        .returningAll()
        .executeTakeFirstOrThrow();
      const hold = holdOf(row);
      await store.#record(actor, 'create', group, undefined, hold);
      return hold;
    });
  }

  /** What it covered may go from now on, as far as no other hold covers it. @throws SelsynError `hold.not-found` */
  async release(id: number, actor: Actor, scope: Scope = EVERYTHING): Promise<LegalHold> {
    return await inTransaction(this.#database, async (transaction) => {
      const store = new LegalHoldStore({ database: transaction, clock: this.#clock });
      const before = await store.get(id, scope);
      if (before.releasedAtMs !== undefined) return before;
      const after = { ...before, releasedAtMs: this.#clock.now(), releasedBy: actor.name };
      await transaction
        .updateTable('legal_hold')
        .set({ released_at_ms: after.releasedAtMs, released_by: after.releasedBy })
        .where('id', '=', id)
        .execute();
      await store.#record(actor, 'release', await store.#placeOf(before), before, after);
      return after;
    });
  }

  /** @throws SelsynError `hold.not-found`, also for one that is out of the scope */
  async get(id: number, scope: Scope = EVERYTHING): Promise<LegalHold> {
    const row = await this.#database.selectFrom('legal_hold').selectAll().where('id', '=', id).executeTakeFirst();
    const hold = row === undefined ? undefined : holdOf(row);
    if (hold === undefined || !(await this.#isSeen(hold, scope))) {
      throw new SelsynError('hold.not-found', `there is no legal hold ${id}`, { details: { id } });
    }
    return hold;
  }

  /** Newest first. */
  async list(query: {
    readonly state?: 'in-force' | 'released' | undefined;
    readonly scope?: Scope | undefined;
    readonly limit: number;
    /** The id of the last one of the page before. */
    readonly before?: number | undefined;
  }): Promise<readonly LegalHold[]> {
    let rows = this.#database.selectFrom('legal_hold').selectAll().orderBy('id', 'desc');
    if (query.state !== undefined) rows = rows.where('released_at_ms', query.state === 'in-force' ? 'is' : 'is not', null);
    if (query.before !== undefined) rows = rows.where('id', '<', query.before);
    const scope = query.scope ?? EVERYTHING;
    if (isEverything(scope)) return (await rows.limit(query.limit).execute()).map(holdOf);
    const seen: LegalHold[] = [];
    for (const row of await rows.execute()) {
      const hold = holdOf(row);
      if (seen.length < query.limit && (await this.#isSeen(hold, scope))) seen.push(hold);
    }
    return seen;
  }

  async heldBy(device: string): Promise<readonly LegalHold[]> {
    const rows = await this.#database
      .selectFrom('legal_hold')
      .selectAll()
      .where('released_at_ms', 'is', null)
      .orderBy('id')
      .execute();
    if (rows.length === 0) return [];
    const placed = (await readDevices(this.#database, { ids: [device] }))[0]?.device;
    const left = (await devicesThatLeft(this.#database, [device])).get(device);
    return rows
      .filter(
        (row) =>
          left?.has(Number(row.id)) === true ||
          // A device that the registry does not know any more is still held by itself.
          (placed === undefined ? row.kind === 'device' && row.target === device : covers(row, placed)),
      )
      .map(holdOf);
  }

  async requireFree(devices: readonly string[]): Promise<void> {
    for (const device of devices) {
      const holds = await this.heldBy(device);
      if (holds.length === 0) continue;
      throw heldError(
        `the device ${device}`,
        holds.map(({ id, target, reason }) => ({ id, kind: target.kind, target: nameOf(target), reason })),
      );
    }
  }

  /** Where what it is on stands; checks that it is there. */
  async #groupOf(target: HoldTarget, scope: Scope): Promise<string> {
    if (target.kind === 'device') {
      const device = (await readDevices(this.#database, { ids: [target.device] }))[0]?.device;
      if (device !== undefined && scopeIncludes(scope, device.group)) return device.group;
      throw new SelsynError('device.not-found', `there is no device ${target.device}`, { details: { id: target.device } });
    }
    if (target.kind === 'group') {
      const query = this.#database.selectFrom('device_group').select('id').where('path', '=', target.group);
      if (!scopeIncludes(scope, target.group) || (await query.executeTakeFirst()) === undefined) throw noGroup(target.group);
      return target.group;
    }
    if (!isEverything(scope)) throw new SelsynError('access.denied', 'only who may act everywhere may hold a device type');
    const name = target.deviceType;
    const type = await this.#database.selectFrom('device_type').select('name').where('name', '=', name).executeTakeFirst();
    if (type !== undefined) return ROOT_GROUP;
    throw new SelsynError('device-type.not-found', `there is no device type ${name}`, { details: { name } });
  }

  async #placeOf({ target }: LegalHold): Promise<string> {
    if (target.kind === 'group') return target.group;
    if (target.kind === 'type') return ROOT_GROUP;
    return (await readDevices(this.#database, { ids: [target.device] }))[0]?.device.group ?? ROOT_GROUP;
  }

  async #isSeen(hold: LegalHold, scope: Scope): Promise<boolean> {
    return isEverything(scope) || scopeIncludes(scope, await this.#placeOf(hold));
  }

  async #record(actor: Actor, verb: string, group: string, before: LegalHold | undefined, after: LegalHold): Promise<void> {
    const object = { kind: 'legal-hold', id: String(after.id) };
    await this.#audit.record([{ actor, action: `legal-hold.${verb}`, object, group, before, after }]);
  }
}

/** The id of the device, the path of the group, the name of the type. */
export function nameOf(target: HoldTarget): string {
  if (target.kind === 'device') return target.device;
  return target.kind === 'group' ? target.group : target.deviceType;
}

type HoldRow = Omit<LegalHoldTable, 'id'> & { readonly id: number };

function holdOf({ id, kind, target, reason, ...row }: HoldRow): LegalHold {
  return {
    id: Number(id),
    target:
      kind === 'device' ? { kind, device: target } : kind === 'group' ? { kind, group: target } : { kind, deviceType: target },
    reason,
    createdAtMs: Number(row.created_at_ms),
    createdBy: row.created_by,
    releasedAtMs: row.released_at_ms === null ? undefined : Number(row.released_at_ms),
    releasedBy: row.released_by ?? undefined,
  };
}
