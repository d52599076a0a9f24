import type { Actor } from '../../audit/actor.ts';
import type { AuditTrail } from '../../audit/audit-trail.ts';
import { inTransaction } from '../../database/in-transaction.ts';
import type { Database } from '../../database/schema.ts';
import type { Clock } from '../../kernel/clock.ts';
import { SelsynError } from '../../kernel/errors.ts';
import { parseGroupPath } from '../../registry/group-path.ts';
import { parsePolicyDocument, type PolicyDocument } from './policy-document.ts';

export interface Policy {
  readonly name: string;
  readonly description: string;
  readonly document: PolicyDocument;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export interface PolicyTarget {
  readonly kind: 'group' | 'type' | 'device' | 'credential';
  /** A path, the name of a type, a device id, a certificate id. */
  readonly id: string;
}

export const TARGET_KINDS = ['group', 'type', 'device', 'credential'] as const;
export const POLICY_NAME = /^[A-Za-z0-9:_.-]{1,128}$/;
export const MAX_POLICY_DESCRIPTION = 1_000;
const MAX_POLICIES = 1_000;
/** Of one target: each is looked at when a device connects. */
const MAX_ATTACHED = 20;

export interface PolicyStoreDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly trail: AuditTrail;
  /** Called once a change is committed: who is connected is to be looked at again. */
  readonly onAccessChanged: (devices: readonly string[] | 'all') => void;
}

/** Policies, and what they are attached to. Every change raises the access version in its own transaction. */
export class PolicyStore {
  readonly #dependencies: PolicyStoreDependencies;

  constructor(dependencies: PolicyStoreDependencies) {
    this.#dependencies = dependencies;
  }

  /** By name. */
  async list(): Promise<readonly Policy[]> {
    const rows = await this.#dependencies.database.selectFrom('policy').selectAll().orderBy('name').execute();
    return rows.map(policyOf);
  }

  /** @throws SelsynError `policy.not-found` */
  async get(name: string): Promise<Policy> {
    const row = await this.#dependencies.database.selectFrom('policy').selectAll().where('name', '=', name).executeTakeFirst();
    if (row === undefined) throw noPolicy(name);
    return policyOf(row);
  }

  /** What a policy is attached to. @throws SelsynError `policy.not-found` */
  async targetsOf(name: string): Promise<readonly PolicyTarget[]> {
    await this.get(name);
    const rows = await this.#dependencies.database
      .selectFrom('policy_attachment')
      .select(['target_kind', 'target_id'])
      .where('policy_name', '=', name)
      .orderBy('target_kind')
      .orderBy('target_id')
      .limit(1_000)
      .execute();
    return rows.map((row) => ({ kind: row.target_kind as PolicyTarget['kind'], id: row.target_id }));
  }

  /**
   * Makes a policy, or replaces the one of this name.
   * @returns true where it is new.
   * @throws SelsynError `request.invalid`, `request.too-large`
   */
  async put(
    draft: { readonly name: string; readonly description: string; readonly document: unknown },
    actor: Actor,
  ): Promise<boolean> {
    const { name, description } = draft;
    if (!POLICY_NAME.test(name))
      throw new SelsynError('request.invalid', 'the name of a policy is 1 to 128 of A-Z a-z 0-9 : _ . -', {
        details: { field: 'name' },
      });
    const document = parsePolicyDocument(draft.document);
    const nowMs = this.#dependencies.clock.now();
    const isNew = await this.#change(async (transaction) => {
      const before = await transaction.selectFrom('policy').selectAll().where('name', '=', name).executeTakeFirst();
      const text = JSON.stringify(document);
      if (before === undefined) {
        const { count } = await transaction
          .selectFrom('policy')
          .select((builder) => builder.fn.countAll().as('count'))
          .executeTakeFirstOrThrow();
        if (Number(count) >= MAX_POLICIES)
          throw new SelsynError('request.too-large', `there are ${MAX_POLICIES} policies already: remove some first`);
        await transaction
          .insertInto('policy')
          .values({ name, description, document: text, created_at_ms: nowMs, updated_at_ms: nowMs })
          .execute();
      } else {
        await transaction
          .updateTable('policy')
          .set({ description, document: text, updated_at_ms: nowMs })
          .where('name', '=', name)
          .execute();
      }
      const described = before === undefined ? undefined : { description: before.description, ...policyOf(before).document };
      await this.#record(transaction, actor, before === undefined ? 'policy.create' : 'policy.update', name, {
        before: described,
        after: { description, ...document },
      });
      return before === undefined;
    });
    this.#dependencies.onAccessChanged('all');
    return isNew;
  }

  /** Takes a policy away, from whatever it is attached to. @throws SelsynError `policy.not-found` */
  async remove(name: string, actor: Actor): Promise<void> {
    const before = await this.get(name);
    await this.#change(async (transaction) => {
      await transaction.deleteFrom('policy').where('name', '=', name).execute();
      await this.#record(transaction, actor, 'policy.remove', name, { before: before.document });
    });
    this.#dependencies.onAccessChanged('all');
  }

  /** @throws SelsynError `policy.not-found`, `request.invalid`, `request.too-large` */
  async attach(name: string, target: PolicyTarget, actor: Actor, within?: Database): Promise<void> {
    checkTarget(target);
    const { database } = this.#dependencies;
    await this.#change(async (transaction) => {
      const policy = await transaction.selectFrom('policy').select('name').where('name', '=', name).executeTakeFirst();
      if (policy === undefined) throw noPolicy(name);
      const { count } = await transaction
        .selectFrom('policy_attachment')
        .select((builder) => builder.fn.countAll().as('count'))
        .where('target_kind', '=', target.kind)
        .where('target_id', '=', target.id)
        .executeTakeFirstOrThrow();
      if (Number(count) >= MAX_ATTACHED)
        throw new SelsynError('request.too-large', `a ${target.kind} has at most ${MAX_ATTACHED} policies`);
      const added = await transaction
        .insertInto('policy_attachment')
        .values({ policy_name: name, target_kind: target.kind, target_id: target.id })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      if (added.numInsertedOrUpdatedRows === 0n) return;
      await this.#record(transaction, actor, 'policy.attach', name, { after: target });
    }, within ?? database);
    if (within === undefined) this.#tell(target);
  }

  /** @throws SelsynError `policy.not-found` where it was not attached there. */
  async detach(name: string, target: PolicyTarget, actor: Actor): Promise<void> {
    await this.#change(async (transaction) => {
      const gone = await transaction
        .deleteFrom('policy_attachment')
        .where('policy_name', '=', name)
        .where('target_kind', '=', target.kind)
        .where('target_id', '=', target.id)
        .executeTakeFirst();
      if (gone.numDeletedRows === 0n)
        throw new SelsynError('policy.not-found', `policy ${name} is not attached to the ${target.kind} ${target.id}`);
      await this.#record(transaction, actor, 'policy.detach', name, { before: target });
    });
    this.#tell(target);
  }

  /**
   * Takes away what is attached to devices, within the transaction that removes them: one that comes back under the same id begins
   * with what its group and type have.
   */
  async forgetDevices(deviceIds: readonly string[], transaction: Database): Promise<void> {
    // No policy is attached to anybody else for this: what others know of policies stays as it is.
    await transaction
      .deleteFrom('policy_attachment')
      .where('target_kind', '=', 'device')
      .where('target_id', 'in', deviceIds)
      .execute();
  }

  #tell({ kind, id }: PolicyTarget): void {
    this.#dependencies.onAccessChanged(kind === 'device' ? [id] : 'all');
  }

  async #change<T>(work: (transaction: Database) => Promise<T>, database = this.#dependencies.database): Promise<T> {
    return await inTransaction(database, async (transaction) => {
      const result = await work(transaction);
      await transaction
        .updateTable('access_version')
        .set((builder) => ({ version: builder('version', '+', 1) }))
        .where('id', '=', 1)
        .execute();
      return result;
    });
  }

  async #record(
    transaction: Database,
    actor: Actor,
    action: string,
    id: string,
    change: { readonly before?: unknown; readonly after?: unknown },
  ): Promise<void> {
    await this.#dependencies.trail.record(
      [{ actor, action, object: { kind: 'policy', id }, group: '/', ...change }],
      transaction,
    );
  }
}

function checkTarget({ kind, id }: PolicyTarget): void {
  if (kind === 'group') parseGroupPath(id);
  else if (id === '' || id.length > 128)
    throw new SelsynError('request.invalid', `the id of a ${kind} has 1 to 128 characters`, { details: { field: 'id' } });
}

function policyOf(row: {
  readonly name: string;
  readonly description: string;
  readonly document: string;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}): Policy {
  return {
    name: row.name,
    description: row.description,
    document: readPolicyDocument(row.name, row.document),
    createdAtMs: Number(row.created_at_ms),
    updatedAtMs: Number(row.updated_at_ms),
  };
}

/** @throws SelsynError `data.corrupt` */
export function readPolicyDocument(name: string, text: string): PolicyDocument {
  try {
    return parsePolicyDocument(JSON.parse(text));
  } catch (error) {
    throw new SelsynError('data.corrupt', `policy ${name} cannot be read`, { cause: error });
  }
}

function noPolicy(name: string): SelsynError {
  return new SelsynError('policy.not-found', `there is no policy ${name}`, { details: { name } });
}
