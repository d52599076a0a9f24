import { systemActor, type Actor } from '../audit/actor.ts';
import { AuditTrail } from '../audit/audit-trail.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import type { RetentionPolicyTable } from '../database/tables/retention-tables.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { TYPE_NAME_PATTERN } from '../registry/device.ts';
import { isWithin, parseGroupPath } from '../registry/group-path.ts';
import type { GroupFollower } from '../registry/group-store.ts';
import { checkLevels, effectiveDays } from './kept-levels.ts';
import { DEFAULT_KEEP, LEVELS, type KeepDays, type RetentionPolicy } from './retention-policy.ts';

export const DEFAULT_POLICY = 'default';
export const MAX_POLICIES = 250;
/** A hundred years. */
export const MAX_KEEP_DAYS = 36_525;
/** As long as the name of a metric may be. */
export const MAX_METRIC_PATTERN = 256;
export const POLICY_NAME_PATTERN = /^[A-Za-z0-9:_.-]{1,64}$/;

export type RetentionPolicyDraft = Omit<RetentionPolicy, 'updatedAtMs'>;

/** The policies of retention, by name. Each change is in the audit trail. */
export class RetentionPolicies {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #audit: AuditTrail;

  constructor(dependencies: { readonly database: Database; readonly clock: Clock }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#audit = new AuditTrail(dependencies);
  }

  /** All by name, `default` first, with all its levels. */
  async list(): Promise<readonly RetentionPolicy[]> {
    return await readPolicies(this.#database);
  }

  /** @throws SelsynError `retention-policy.not-found` */
  async get(name: string): Promise<RetentionPolicy> {
    const policy = (await this.list()).find((one) => one.name === name);
    if (policy === undefined) throw noPolicy(name);
    return policy;
  }

  /** As `list` would be with these, which are not stored. @throws SelsynError `request.invalid` */
  async with(changed: readonly RetentionPolicyDraft[]): Promise<readonly RetentionPolicy[]> {
    for (const draft of changed) checkPolicy(draft);
    const kept = (await this.list()).filter(({ name }) => !changed.some((draft) => draft.name === name));
    for (const draft of changed) checkAmong(draft, [...kept, ...changed]);
    return [...kept, ...changed.map((draft) => ({ ...draft, updatedAtMs: 0 }))];
  }

  /**
   * Makes a policy, or puts another in its place.
   *
   * @throws SelsynError `request.invalid`, `group.not-found`, `device-type.not-found`, `retention-policy.exists` where another one
   *   has the same conditions
   */
  async put(draft: RetentionPolicyDraft, actor: Actor): Promise<RetentionPolicy> {
    checkPolicy(draft);
    return await inTransaction(this.#database, async (transaction) => {
      const policies = await readPolicies(transaction);
      const before = policies.find(({ name }) => name === draft.name);
      checkAmong(draft, policies);
      const twin = policies.find((other) => other.name !== draft.name && conditionsOf(other) === conditionsOf(draft));
      if (twin !== undefined) {
        throw new SelsynError('retention-policy.exists', `the policy ${twin.name} has the same conditions`, {
          details: { name: twin.name },
        });
      }
      if (before === undefined && policies.length >= MAX_POLICIES)
        throw invalid('name', `there are ${MAX_POLICIES} retention policies, which is as many as there can be`);
      await requirePlaces(transaction, draft);
      const after = { ...draft, updatedAtMs: this.#clock.now() };
      const row = rowOf(after);
      await transaction
        .insertInto('retention_policy')
        .values(row)
        .onConflict((conflict) => conflict.column('name').doUpdateSet(row))
        .execute();
      await this.#record(transaction, actor, before === undefined ? 'create' : 'update', before, after);
      return draft.name === DEFAULT_POLICY ? { ...after, keepDays: { ...DEFAULT_KEEP, ...after.keepDays } } : after;
    });
  }

  /** `default` is afterwards as it was at first. @throws SelsynError `retention-policy.not-found` */
  async remove(name: string, actor: Actor): Promise<void> {
    await inTransaction(this.#database, async (transaction) => {
      const before = (await readPolicies(transaction)).find((one) => one.name === name);
      if (before === undefined) throw noPolicy(name);
      await transaction.deleteFrom('retention_policy').where('name', '=', name).execute();
      await this.#record(transaction, actor, 'delete', before, undefined);
    });
  }

  async #record(
    transaction: Database,
    actor: Actor,
    verb: string,
    before: RetentionPolicy | undefined,
    after: RetentionPolicy | undefined,
  ): Promise<void> {
    await this.#audit.record([changeOf(actor, verb, before, after)], transaction);
  }
}

export async function readPolicies(database: Database): Promise<readonly RetentionPolicy[]> {
  const rows = await database.selectFrom('retention_policy').selectAll().orderBy('name').execute();
  const policies = rows.map(policyOf);
  const own = policies.find(({ name }) => name === DEFAULT_POLICY);
  const first: RetentionPolicy = {
    name: DEFAULT_POLICY,
    keepDays: { ...DEFAULT_KEEP, ...own?.keepDays },
    updatedAtMs: own?.updatedAtMs ?? 0,
  };
  return [first, ...policies.filter((policy) => policy !== own)];
}

/** @throws SelsynError `request.invalid` that says which field is wrong */
export function checkPolicy(draft: RetentionPolicyDraft): void {
  const { name, deviceType, group, metric, keepDays } = draft;
  if (!POLICY_NAME_PATTERN.test(name)) throw invalid('name', 'the name of a policy is 1 to 64 of A-Z a-z 0-9 : _ . -');
  if (name === DEFAULT_POLICY && conditionsOf(draft) !== conditionsOf({}))
    throw invalid('name', 'the policy default has no conditions: give one with conditions another name');
  if (name !== DEFAULT_POLICY && conditionsOf(draft) === conditionsOf({}))
    throw invalid('name', 'only the policy default has no conditions: name a device type, a group or a metric');
  if (deviceType !== undefined && !TYPE_NAME_PATTERN.test(deviceType))
    throw invalid('deviceType', 'not the name of a device type');
  if (group !== undefined) parseGroupPath(group);
  if (metric !== undefined && (metric.length === 0 || metric.length > MAX_METRIC_PATTERN))
    throw invalid('metric', `a metric has 1 to ${MAX_METRIC_PATTERN} characters`);
  if (LEVELS.every((level) => keepDays[level] === undefined))
    throw invalid('keepDays', `say of at least one of ${LEVELS.join(', ')} how long it is kept`);
  for (const level of LEVELS) {
    const days = keepDays[level];
    if (days === undefined || days === null) continue;
    if (!Number.isInteger(days) || days < 1 || days > MAX_KEEP_DAYS)
      throw invalid('keepDays', `${level} is kept for 1 to ${MAX_KEEP_DAYS} whole days, or for ever (null)`);
  }
}

/** @throws SelsynError `request.invalid` where it says of a level what can never hold */
function checkAmong({ name, keepDays }: RetentionPolicyDraft, policies: readonly RetentionPolicyDraft[]): void {
  const others = policies.filter((policy) => policy.name !== name).map((policy) => policy.keepDays);
  // What default does not say is as it was at first.
  const own = name === DEFAULT_POLICY ? { ...impliedBy(keepDays), ...keepDays } : keepDays;
  checkLevels(own, others);
}

/** Levels of DEFAULT_KEEP that a finer level which is said does not lift. */
function impliedBy(keepDays: KeepDays): KeepDays {
  return effectiveDays(keepDays, DEFAULT_KEEP);
}

/** Policies of a group go where it goes; those of a group that is removed end with it. */
export function retentionFollows(clock: Clock): GroupFollower {
  return async (transaction, { from, to }) => {
    const policies = (await readPolicies(transaction)).filter(({ group }) => group !== undefined && isWithin(group, from));
    const audit = new AuditTrail({ database: transaction, clock });
    for (const before of policies) {
      const group = to === undefined ? undefined : to + before.group!.slice(from.length);
      await transaction.deleteFrom('retention_policy').where('name', '=', before.name).execute();
      const after = group === undefined ? undefined : { ...before, group };
      if (after !== undefined) await transaction.insertInto('retention_policy').values(rowOf(after)).execute();
      await audit.record([changeOf(systemActor('registry'), after === undefined ? 'delete' : 'update', before, after)]);
    }
  };
}

async function requirePlaces(transaction: Database, { group, deviceType }: RetentionPolicyDraft): Promise<void> {
  if (group !== undefined) {
    const row = await transaction.selectFrom('device_group').select('id').where('path', '=', group).executeTakeFirst();
    if (row === undefined) throw new SelsynError('group.not-found', `there is no group ${group}`, { details: { path: group } });
  }
  if (deviceType !== undefined) {
    const row = await transaction.selectFrom('device_type').select('name').where('name', '=', deviceType).executeTakeFirst();
    if (row === undefined) {
      const details = { name: deviceType };
      throw new SelsynError('device-type.not-found', `there is no device type ${deviceType}`, { details });
    }
  }
}

function changeOf(actor: Actor, verb: string, before: RetentionPolicy | undefined, after: RetentionPolicy | undefined) {
  const { name, group } = after ?? before!;
  const object = { kind: 'retention-policy', id: name };
  return { actor, action: `retention-policy.${verb}`, object, group: group ?? '/', before, after };
}

function conditionsOf({ deviceType, group, metric }: Pick<RetentionPolicyDraft, 'deviceType' | 'group' | 'metric'>): string {
  return JSON.stringify([deviceType ?? null, group ?? null, metric ?? null]);
}

function rowOf({ name, deviceType, group, metric, keepDays, updatedAtMs }: RetentionPolicy): RetentionPolicyTable {
  return {
    name,
    device_type: deviceType ?? null,
    group_path: group ?? null,
    metric: metric ?? null,
    keep_days: JSON.stringify(keepDays),
    updated_at_ms: updatedAtMs,
  };
}

function policyOf(row: RetentionPolicyTable): RetentionPolicy {
  return {
    name: row.name,
    ...(row.device_type !== null && { deviceType: row.device_type }),
    ...(row.group_path !== null && { group: row.group_path }),
    ...(row.metric !== null && { metric: row.metric }),
    keepDays: JSON.parse(row.keep_days) as KeepDays, // `rowOf` wrote it
    updatedAtMs: Number(row.updated_at_ms),
  };
}

function noPolicy(name: string): SelsynError {
  return new SelsynError('retention-policy.not-found', `there is no retention policy ${name}`, { details: { name } });
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field } });
}
