import type { Actor } from '../audit/actor.ts';
import type { AuditTrail } from '../audit/audit-trail.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database, Schema } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { AFTER_SLASH, ROOT_GROUP } from '../registry/group-path.ts';
import { scopeIncludes, type Scope } from '../registry/scope.ts';
import type { Door } from './attempts.ts';

/** `waiting` for an operator; `released`: it may enrol once more; `enrolled`: it has done so; `refused`: it may not. */
export const QUARANTINE_STATES = ['waiting', 'released', 'enrolled', 'refused'] as const;
export type QuarantineState = (typeof QUARANTINE_STATES)[number];

export interface QuarantineDraft {
  readonly template: string;
  readonly serial: string;
  readonly deviceId: string;
  /** That of the device, or that it would come to stand in. */
  readonly group: string;
  readonly reason: string;
  readonly door: Door;
  readonly claimBatch?: string | undefined;
  readonly clientId?: string | undefined;
  readonly remoteAddress?: string | undefined;
}

/** A serial number that enrolled again: the device has lost its key, or there are two of it. */
export interface Quarantined extends QuarantineDraft {
  readonly state: QuarantineState;
  /** How often it came. */
  readonly attempts: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly resolvedAtMs?: number;
  readonly resolvedBy?: string;
}

export interface QuarantineDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly trail: AuditTrail;
  readonly logLines: LogLines;
}

export interface QuarantineQuery {
  readonly state?: QuarantineState | undefined;
  readonly template?: string | undefined;
  readonly scope: Scope;
  readonly limit: number;
  readonly offset: number;
}

/** Serial numbers that wait for somebody to decide. There are never more of them than devices. */
export class Quarantine {
  readonly #dependencies: QuarantineDependencies;

  constructor(dependencies: QuarantineDependencies) {
    this.#dependencies = dependencies;
  }

  /** Puts it in, or counts that it came once more; the first time it is said aloud. */
  async add(draft: QuarantineDraft, transaction: Database): Promise<void> {
    const { clock, trail, logLines } = this.#dependencies;
    const { template, serial } = draft;
    const nowMs = clock.now();
    const before = await transaction
      .selectFrom('enrolment_quarantine')
      .select('status')
      .where('template', '=', template)
      .where('serial', '=', serial)
      .executeTakeFirst();
    const seen = {
      device_id: draft.deviceId,
      group_path: draft.group,
      reason: draft.reason,
      door: draft.door,
      claim_batch: draft.claimBatch ?? null,
      client_id: draft.clientId?.slice(0, 256) ?? null,
      remote_address: draft.remoteAddress?.slice(0, 64) ?? null,
      last_at_ms: nowMs,
    };
    if (before?.status === 'waiting') {
      await transaction
        .updateTable('enrolment_quarantine')
        .set((builder) => ({ ...seen, attempts: builder('attempts', '+', 1) }))
        .where('template', '=', template)
        .where('serial', '=', serial)
        .execute();
      return;
    }
    const fresh = { ...seen, status: 'waiting', attempts: 1, first_at_ms: nowMs, resolved_at_ms: null, resolved_by: null };
    await transaction
      .insertInto('enrolment_quarantine')
      .values({ template, serial, ...fresh })
      .onConflict((conflict) => conflict.columns(['template', 'serial']).doUpdateSet(fresh))
      .execute();
    await trail.record(
      [
        {
          actor: { kind: 'system', id: 'provisioning', name: 'provisioning', remoteAddress: draft.remoteAddress },
          action: 'device.quarantine',
          object: { kind: 'device', id: draft.deviceId },
          group: draft.group,
          after: { template, serial, reason: draft.reason, door: draft.door, claimBatch: draft.claimBatch },
        },
      ],
      transaction,
    );
    logLines.warn(
      { device: draft.deviceId, template, serial, reason: draft.reason, address: draft.remoteAddress },
      'a serial number enrolled again and is in quarantine: release or refuse it (selsyn provisioning quarantine)',
    );
  }

  /** What was released has been made use of. */
  async close(template: string, serial: string, transaction: Database): Promise<void> {
    await transaction
      .updateTable('enrolment_quarantine')
      .set({ status: 'enrolled', last_at_ms: this.#dependencies.clock.now() })
      .where('template', '=', template)
      .where('serial', '=', serial)
      .where('status', '=', 'released')
      .execute();
  }

  /** The last that came first. */
  async list({ state, template, scope, limit, offset }: QuarantineQuery): Promise<readonly Quarantined[]> {
    let rows = this.#dependencies.database
      .selectFrom('enrolment_quarantine')
      .selectAll()
      .orderBy('last_at_ms', 'desc')
      .orderBy('template')
      .orderBy('serial')
      .limit(limit)
      .offset(offset);
    if (state !== undefined) rows = rows.where('status', '=', state);
    if (template !== undefined) rows = rows.where('template', '=', template);
    if (!scope.groups.includes(ROOT_GROUP)) {
      rows = rows.where((builder) =>
        builder.or(
          scope.groups.flatMap((group) => [
            builder('group_path', '=', group),
            builder.and([builder('group_path', '>', `${group}/`), builder('group_path', '<', group + AFTER_SLASH)]),
          ]),
        ),
      );
    }
    return (await rows.execute()).map(quarantinedOf);
  }

  /**
   * Decides about one that waits. A released one may enrol once more; what the device had before is revoked when it does.
   * A decision may be taken back while nothing has come of it.
   *
   * @throws SelsynError `quarantine.not-found`, `quarantine.resolved`
   */
  async resolve(
    {
      template,
      serial,
      decision,
    }: { readonly template: string; readonly serial: string; readonly decision: 'release' | 'refuse' },
    scope: Scope,
    actor: Actor,
  ): Promise<Quarantined> {
    const { database, clock, trail } = this.#dependencies;
    return await inTransaction(database, async (transaction) => {
      const row = await transaction
        .selectFrom('enrolment_quarantine')
        .selectAll()
        .where('template', '=', template)
        .where('serial', '=', serial)
        .executeTakeFirst();
      if (row === undefined || !scopeIncludes(scope, row.group_path))
        throw new SelsynError('quarantine.not-found', `${serial} of ${template} is not in quarantine`, {
          details: { template, serial },
        });
      if (row.status === 'enrolled')
        throw new SelsynError('quarantine.resolved', `${serial} was released and has enrolled`, {
          details: { template, serial },
        });
      const status = decision === 'release' ? 'released' : 'refused';
      const decided = { status, resolved_at_ms: clock.now(), resolved_by: actor.name.slice(0, 256) };
      await transaction
        .updateTable('enrolment_quarantine')
        .set(decided)
        .where('template', '=', template)
        .where('serial', '=', serial)
        .execute();
      await trail.record(
        [
          {
            actor,
            action: `quarantine.${decision}`,
            object: { kind: 'device', id: row.device_id },
            group: row.group_path,
            before: { template, serial, state: row.status },
            after: { template, serial, state: status },
          },
        ],
        transaction,
      );
      return quarantinedOf({ ...row, ...decided });
    });
  }
}

function quarantinedOf(row: Schema['enrolment_quarantine']): Quarantined {
  return {
    template: row.template,
    serial: row.serial,
    deviceId: row.device_id,
    group: row.group_path,
    state: row.status as QuarantineState,
    reason: row.reason,
    door: row.door as Door,
    ...(row.claim_batch !== null && { claimBatch: row.claim_batch }),
    ...(row.client_id !== null && { clientId: row.client_id }),
    ...(row.remote_address !== null && { remoteAddress: row.remote_address }),
    attempts: Number(row.attempts),
    firstAtMs: Number(row.first_at_ms),
    lastAtMs: Number(row.last_at_ms),
    ...(row.resolved_at_ms !== null && { resolvedAtMs: Number(row.resolved_at_ms) }),
    ...(row.resolved_by !== null && { resolvedBy: row.resolved_by }),
  };
}
