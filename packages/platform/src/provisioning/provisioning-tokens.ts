import type { Actor } from '../audit/actor.ts';
import type { AuditTrail } from '../audit/audit-trail.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { hashSecret, newSecret, type RandomBytes } from '../kernel/secret.ts';
import { AFTER_SLASH } from '../registry/group-path.ts';
import { EVERYTHING, isEverything, scopeIncludes, type Scope } from '../registry/scope.ts';
import { isSerial, MAX_SERIAL_LENGTH } from './compiled-template.ts';
import {
  type NewProvisioningToken,
  type ProvisioningToken,
  provisioningTokenOf,
  type ProvisioningTokenRow,
} from './provisioning-token.ts';
import { TEMPLATE_NAME } from './provisioning-topics.ts';
import { RefusedError, refusal } from './refusal.ts';
import type { TemplateStore } from './template-store.ts';

export interface ProvisioningTokenDraft {
  readonly template: string;
  readonly batch?: string | undefined;
  /** One token for each of these, which no other serial number can use. */
  readonly serials?: readonly string[] | undefined;
  /** Without serials: so many tokens. */
  readonly tokens?: number | undefined;
  /** Devices that may enrol with each of them. */
  readonly maxCount: number;
  readonly expiresAtMs: number;
  /** Requests a minute with each of them. */
  readonly ratePerMinute: number;
}

export interface ProvisioningTokenQuery {
  readonly template?: string | undefined;
  readonly batch?: string | undefined;
  readonly scope: Scope;
  readonly limit: number;
  /** The id that ended the page before. */
  readonly after?: string | undefined;
}

export interface ProvisioningTokensDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly trail: AuditTrail;
  readonly templates: Pick<TemplateStore, 'get'>;
}

export const MAX_TOKENS_AT_ONCE = 1_000;
export const MAX_TOKEN_COUNT = 1_000_000;
export const MAX_TOKEN_RATE = 100_000;
const MAX_TOKENS = 1_000_000;
const ROWS_PER_STATEMENT = 100;
const ID_BYTES = 8;
/** So long one that has expired can still be looked at. */
const KEPT_AFTER_EXPIRY_MS = 90 * 86_400_000;
/** Longer than any token: no more of what somebody sends is hashed. */
const MAX_SHOWN_LENGTH = 256;

/** Tokens by which devices enrol over HTTP: kept as hashes. What is out of a caller's scope is not there. */
export class ProvisioningTokens {
  readonly #dependencies: ProvisioningTokensDependencies;

  constructor(dependencies: ProvisioningTokensDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Makes tokens, all or none. What they are is told this once.
   * @throws SelsynError `request.invalid`, `request.too-large`, `template.not-found`
   */
  async create(draft: ProvisioningTokenDraft, scope: Scope, actor: Actor): Promise<readonly NewProvisioningToken[]> {
    const { database, clock, random, trail, templates } = this.#dependencies;
    const nowMs = clock.now();
    const serials: readonly (string | null)[] = draft.serials ?? Array.from({ length: draft.tokens ?? 1 }, () => null);
    checkDraft(draft, serials, nowMs);
    const { template, batch, maxCount, ratePerMinute, expiresAtMs } = draft;
    const { group } = await templates.get(template, scope);
    const secrets = serials.map(() => newSecret(random));
    const rows = serials.map((serial, index) => ({
      id: Buffer.from(random(ID_BYTES)).toString('hex'),
      token_hash: hashSecret(secrets[index] ?? ''),
      template,
      batch: batch ?? null,
      serial,
      max_count: maxCount,
      enrolled: 0,
      rate_per_minute: ratePerMinute,
      expires_at_ms: expiresAtMs,
      created_at_ms: nowMs,
      stopped_at_ms: null,
    }));
    await inTransaction(database, async (transaction) => {
      await transaction
        .deleteFrom('provisioning_token')
        .where('expires_at_ms', '<', nowMs - KEPT_AFTER_EXPIRY_MS)
        .execute();
      await ensureRoom(transaction, rows.length);
      for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
        await transaction
          .insertInto('provisioning_token')
          .values(rows.slice(start, start + ROWS_PER_STATEMENT))
          .execute();
      }
      const object = { kind: 'provisioning-token', id: batch ?? rows[0]?.id ?? '' };
      const after = {
        template,
        batch,
        tokens: rows.length,
        maxCount,
        ratePerMinute,
        expiresAtMs,
        forSerials: draft.serials !== undefined,
      };
      await trail.record([{ actor, action: 'provisioning-token.create', object, group, after }], transaction);
    });
    return rows.map((row, index) => ({
      ...provisioningTokenOf({ ...row, number: 0, group_path: group }),
      token: secrets[index] ?? '',
    }));
  }

  /** The newest first. @throws SelsynError `provisioning-token.not-found` for a page after one that is not there */
  async list({ template, batch, scope, limit, after }: ProvisioningTokenQuery): Promise<readonly ProvisioningToken[]> {
    const { database } = this.#dependencies;
    let rows = this.#rows(database).orderBy('number', 'desc').limit(limit);
    if (template !== undefined) rows = rows.where('template', '=', template);
    if (batch !== undefined) rows = rows.where('batch', '=', batch);
    if (after !== undefined) rows = rows.where('number', '<', (await this.#get(after, scope, database)).number);
    if (!isEverything(scope)) {
      rows = rows.where((builder) =>
        builder.or(
          scope.groups.flatMap((group) => [
            builder('group_path', '=', group),
            builder.and([builder('group_path', '>', `${group}/`), builder('group_path', '<', group + AFTER_SLASH)]),
          ]),
        ),
      );
    }
    return (await rows.execute()).map(provisioningTokenOf);
  }

  /** @throws SelsynError `provisioning-token.not-found` */
  async get(id: string, scope: Scope = EVERYTHING): Promise<ProvisioningToken> {
    return provisioningTokenOf(await this.#get(id, scope, this.#dependencies.database));
  }

  /** From now on nobody enrols with it. @throws SelsynError `provisioning-token.not-found` */
  async stop(id: string, scope: Scope, actor: Actor): Promise<ProvisioningToken> {
    return await inTransaction(this.#dependencies.database, async (transaction) => {
      const { group_path: group } = await this.#get(id, scope, transaction);
      await this.#stop(transaction, { ids: [id], group, actor, object: id });
      return provisioningTokenOf(await this.#get(id, scope, transaction));
    });
  }

  /** All of a template's batch. @returns how many were not stopped before @throws SelsynError `template.not-found` */
  async stopBatch(template: string, batch: string, scope: Scope, actor: Actor): Promise<number> {
    const { database, templates } = this.#dependencies;
    const { group } = await templates.get(template, scope);
    return await inTransaction(database, async (transaction) => {
      const rows = await transaction
        .selectFrom('provisioning_token')
        .select('id')
        .where('template', '=', template)
        .where('batch', '=', batch)
        .where('stopped_at_ms', 'is', null)
        .execute();
      const ids = rows.map(({ id }) => id);
      await this.#stop(transaction, { ids, group, actor, object: batch });
      return ids.length;
    });
  }

  /** The one that somebody shows, usable or not; undefined where there is none, or its template is no more. */
  async find(shown: string): Promise<ProvisioningToken | undefined> {
    if (shown === '' || shown.length > MAX_SHOWN_LENGTH) return undefined;
    // By its hash: what is compared byte by byte tells nothing about a token.
    const row = await this.#rows(this.#dependencies.database).where('token_hash', '=', hashSecret(shown)).executeTakeFirst();
    return row === undefined ? undefined : provisioningTokenOf(row);
  }

  /** @throws RefusedError where it may not be used now */
  ensureOpen({ id, stoppedAtMs, expiresAtMs, enrolled, maxCount }: ProvisioningToken): void {
    if (stoppedAtMs !== undefined) throw new RefusedError(refusal('batch-stopped', `token ${id} is stopped`));
    if (expiresAtMs <= this.#dependencies.clock.now())
      throw new RefusedError(refusal('batch-expired', `token ${id} has expired`));
    if (enrolled >= maxCount)
      throw new RefusedError(
        refusal(
          'batch-exhausted',
          maxCount === 1 ? `token ${id} was used before` : `token ${id} has enrolled all its ${maxCount} devices`,
        ),
      );
  }

  /** One more device has enrolled. @throws RefusedError where somebody was faster, or it has just been stopped or has expired */
  async count(id: string, transaction: Database): Promise<void> {
    const counted = await transaction
      .updateTable('provisioning_token')
      .set((builder) => ({ enrolled: builder('enrolled', '+', 1) }))
      .where('id', '=', id)
      .where('stopped_at_ms', 'is', null)
      .where('expires_at_ms', '>', this.#dependencies.clock.now())
      .whereRef('enrolled', '<', 'max_count')
      .executeTakeFirst();
    if (counted.numUpdatedRows > 0n) return;
    const row = await this.#rows(transaction).where('id', '=', id).executeTakeFirst();
    if (row !== undefined) this.ensureOpen(provisioningTokenOf(row));
    throw new RefusedError(refusal('credential-invalid', `token ${id} is no more`));
  }

  async #stop(
    transaction: Database,
    {
      ids,
      group,
      actor,
      object,
    }: { readonly ids: readonly string[]; readonly group: string; readonly actor: Actor; readonly object: string },
  ): Promise<void> {
    const { clock, trail } = this.#dependencies;
    let stopped = 0;
    for (let start = 0; start < ids.length; start += ROWS_PER_STATEMENT) {
      const changed = await transaction
        .updateTable('provisioning_token')
        .set({ stopped_at_ms: clock.now() })
        .where('id', 'in', ids.slice(start, start + ROWS_PER_STATEMENT))
        .where('stopped_at_ms', 'is', null)
        .executeTakeFirst();
      stopped += Number(changed.numUpdatedRows);
    }
    if (stopped === 0) return;
    const change = {
      actor,
      action: 'provisioning-token.stop',
      object: { kind: 'provisioning-token', id: object },
      group,
      after: { tokens: stopped },
    };
    await trail.record([change], transaction);
  }

  async #get(id: string, scope: Scope, database: Database): Promise<ProvisioningTokenRow> {
    const row = await this.#rows(database).where('id', '=', id).executeTakeFirst();
    if (row === undefined || !scopeIncludes(scope, row.group_path))
      throw new SelsynError('provisioning-token.not-found', `there is no provisioning token ${id}`, { details: { id } });
    return row;
  }

  #rows(database: Database) {
    return database
      .selectFrom('provisioning_token')
      .innerJoin('provisioning_template', 'provisioning_template.name', 'provisioning_token.template')
      .selectAll('provisioning_token')
      .select('group_path') satisfies { execute(): Promise<ProvisioningTokenRow[]> };
  }
}

async function ensureRoom(transaction: Database, more: number): Promise<void> {
  const { count } = await transaction
    .selectFrom('provisioning_token')
    .select((builder) => builder.fn.countAll().as('count'))
    .executeTakeFirstOrThrow();
  if (Number(count) + more > MAX_TOKENS)
    throw new SelsynError('request.too-large', `there are at most ${MAX_TOKENS} provisioning tokens`);
}

function checkDraft(draft: ProvisioningTokenDraft, serials: readonly (string | null)[], nowMs: number): void {
  const { batch, maxCount, ratePerMinute, expiresAtMs } = draft;
  if (batch !== undefined && !TEMPLATE_NAME.test(batch))
    throw invalid('batch', 'the name of a batch is 1 to 128 of A-Z a-z 0-9 : _ . -');
  if (serials.length < 1 || serials.length > MAX_TOKENS_AT_ONCE)
    throw invalid('tokens', `1 to ${MAX_TOKENS_AT_ONCE} tokens are made at once`);
  if (draft.serials !== undefined && draft.tokens !== undefined) throw invalid('tokens', 'for serials there is one token each');
  if (!serials.every((serial) => serial === null || isSerial(serial)))
    throw invalid('serials', `a serial number has 1 to ${MAX_SERIAL_LENGTH} printable characters`);
  if (new Set(draft.serials).size !== (draft.serials?.length ?? 0)) throw invalid('serials', 'a serial number is there twice');
  if (!isWhole(maxCount, MAX_TOKEN_COUNT)) throw invalid('maxCount', `maxCount is 1 to ${MAX_TOKEN_COUNT}`);
  if (!isWhole(ratePerMinute, MAX_TOKEN_RATE)) throw invalid('ratePerMinute', `ratePerMinute is 1 to ${MAX_TOKEN_RATE}`);
  if (!Number.isSafeInteger(expiresAtMs) || expiresAtMs <= nowMs) throw invalid('expiresAtMs', 'expiresAtMs is a time to come');
}

function isWhole(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= max;
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field } });
}
