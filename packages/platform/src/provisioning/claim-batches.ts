import type { Actor } from '../audit/actor.ts';
import type { AuditTrail } from '../audit/audit-trail.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { CertificateService, HandedCertificate } from '../pki/certificate-service.ts';
import { EVERYTHING, scopeIncludes, type Scope } from '../registry/scope.ts';
import { type ClaimBatch, type ClaimBatchRow, claimBatchOf } from './claim-batch.ts';
import { RefusedError, refusal } from './refusal.ts';
import type { TemplateStore } from './template-store.ts';
import { TEMPLATE_NAME } from './provisioning-topics.ts';

export interface ClaimBatchDraft {
  readonly name: string;
  readonly template: string;
  /** Devices that may enrol with it. */
  readonly maxCount: number;
  readonly expiresAtMs: number;
  /** Requests a minute, of all its units together. */
  readonly ratePerMinute: number;
}

export interface ClaimBatchesDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly trail: AuditTrail;
  readonly templates: Pick<TemplateStore, 'get'>;
  readonly certificates: Pick<CertificateService, 'issueFromCsr' | 'issueWithNewKey' | 'revokeMany'>;
}

export const MAX_BATCH_COUNT = 100_000_000;
export const MAX_RATE_PER_MINUTE = 10_000_000;
const MAX_BATCHES = 10_000;
/** Of one batch: one for each line of a factory. */
const MAX_CERTIFICATES = 100;

/**
 * Claim batches: who holds one of its certificates may enrol as many devices as it says, until it expires, so fast and no faster.
 * What is out of a caller's scope is not there.
 */
export class ClaimBatches {
  readonly #dependencies: ClaimBatchesDependencies;

  constructor(dependencies: ClaimBatchesDependencies) {
    this.#dependencies = dependencies;
  }

  /** The newest first. */
  async list(scope: Scope = EVERYTHING): Promise<readonly ClaimBatch[]> {
    const rows = await this.#rows(this.#dependencies.database)
      .orderBy('claim_batch.created_at_ms', 'desc')
      .orderBy('claim_batch.name')
      .execute();
    return rows.map(claimBatchOf).filter(({ group }) => scopeIncludes(scope, group));
  }

  /** @throws SelsynError `claim-batch.not-found` */
  async get(name: string, scope: Scope = EVERYTHING): Promise<ClaimBatch> {
    const row = await this.#rows(this.#dependencies.database).where('claim_batch.name', '=', name).executeTakeFirst();
    if (row === undefined) throw noBatch(name);
    const batch = claimBatchOf(row);
    if (!scopeIncludes(scope, batch.group)) throw noBatch(name);
    return batch;
  }

  /** @throws SelsynError `request.invalid`, `request.too-large`, `template.not-found`, `claim-batch.exists` */
  async create(draft: ClaimBatchDraft, scope: Scope, actor: Actor): Promise<ClaimBatch> {
    const { database, clock, trail, templates } = this.#dependencies;
    checkDraft(draft, clock.now());
    const { group } = await templates.get(draft.template, scope);
    await inTransaction(database, async (transaction) => {
      const { count } = await transaction
        .selectFrom('claim_batch')
        .select((builder) => builder.fn.countAll().as('count'))
        .executeTakeFirstOrThrow();
      if (Number(count) >= MAX_BATCHES)
        throw new SelsynError('request.too-large', `there are ${MAX_BATCHES} claim batches already`);
      // Of a batch of the same name that is no more: they would come back with this one.
      const claims = await transaction
        .selectFrom('certificate')
        .select('id')
        .where('claim_batch', '=', draft.name)
        .where('status', '=', 'active')
        .where('not_after_ms', '>', clock.now())
        .executeTakeFirst();
      if (claims !== undefined) throw batchExists(draft.name);
      const added = await transaction
        .insertInto('claim_batch')
        .values({
          name: draft.name,
          template: draft.template,
          max_count: draft.maxCount,
          rate_per_minute: draft.ratePerMinute,
          expires_at_ms: draft.expiresAtMs,
          enrolled: 0,
          created_at_ms: clock.now(),
          stopped_at_ms: null,
        })
        .onConflict((conflict) => conflict.column('name').doNothing())
        .executeTakeFirst();
      if (added.numInsertedOrUpdatedRows === 0n) throw batchExists(draft.name);
      await trail.record(
        [{ actor, action: 'claim.create', object: { kind: 'claim', id: draft.name }, group, after: draft }],
        transaction,
      );
    });
    return await this.get(draft.name);
  }

  /**
   * Signs a certificate with which units ask for one of their own. It ends with the batch.
   *
   * @param csr undefined: with a key that is made here and handed out this once.
   * @throws SelsynError `claim-batch.not-found`, `request.invalid`, `request.too-large`, `csr.invalid`, `csr.weak-key`, `signer.busy`,
   * `signer.unavailable`
   */
  async issueCertificate(name: string, csr: string | undefined, scope: Scope, actor: Actor): Promise<HandedCertificate> {
    const batch = await this.get(name, scope);
    const { database, certificates, clock } = this.#dependencies;
    if (batch.stoppedAtMs !== undefined) throw invalid('name', `the claim batch ${name} is stopped`);
    if (batch.expiresAtMs <= clock.now()) throw invalid('name', `the claim batch ${name} has expired`);
    const { count } = await database
      .selectFrom('certificate')
      .select((builder) => builder.fn.countAll().as('count'))
      .where('claim_batch', '=', name)
      .executeTakeFirstOrThrow();
    if (Number(count) >= MAX_CERTIFICATES)
      throw new SelsynError('request.too-large', `a claim batch has at most ${MAX_CERTIFICATES} certificates`);
    const options = {
      commonName: name,
      purpose: 'claim',
      status: 'active',
      claimBatch: name,
      notAfterMs: batch.expiresAtMs,
      actor,
    } as const;
    return csr === undefined ? await certificates.issueWithNewKey(options) : await certificates.issueFromCsr({ ...options, csr });
  }

  /**
   * From now on nobody enrols with it, its certificates are revoked, and whoever is connected with one of them is cut. Stays so.
   * @throws SelsynError `claim-batch.not-found`
   */
  async stop(name: string, scope: Scope, actor: Actor): Promise<ClaimBatch> {
    const batch = await this.get(name, scope);
    const { database, clock, trail, certificates } = this.#dependencies;
    if (batch.stoppedAtMs === undefined) {
      await inTransaction(database, async (transaction) => {
        await transaction
          .updateTable('claim_batch')
          .set({ stopped_at_ms: clock.now() })
          .where('name', '=', name)
          .where('stopped_at_ms', 'is', null)
          .execute();
        await trail.record(
          [
            {
              actor,
              action: 'claim.stop',
              object: { kind: 'claim', id: name },
              group: batch.group,
              after: { enrolled: batch.enrolled },
            },
          ],
          transaction,
        );
      });
    }
    const claims = await database.selectFrom('certificate').select('id').where('claim_batch', '=', name).execute();
    await certificates.revokeMany(
      claims.map(({ id }) => id),
      'cessationOfOperation',
      actor,
    );
    return await this.get(name);
  }

  /**
   * The batch of a certificate that may ask now, by the database as last committed.
   * @throws RefusedError where it may not
   */
  async ofCertificate(certificateId: string): Promise<ClaimBatch> {
    const { database, clock } = this.#dependencies;
    const row = await this.#rows(database)
      .innerJoin('certificate', 'certificate.claim_batch', 'claim_batch.name')
      .select(['certificate.status', 'certificate.not_after_ms'])
      .where('certificate.id', '=', certificateId)
      .where('certificate.purpose', '=', 'claim')
      .executeTakeFirst();
    if (row === undefined) throw new RefusedError(refusal('credential-invalid', 'it is no claim certificate'));
    const batch = claimBatchOf(row);
    ensureOpen(batch, clock.now());
    if (row.status !== 'active' || Number(row.not_after_ms) <= clock.now())
      throw new RefusedError(refusal('credential-invalid', `claim certificate of batch ${batch.name} is revoked or has expired`));
    return batch;
  }

  /** One more device has enrolled. @throws RefusedError where the batch has just been stopped, has expired or is exhausted */
  async count(name: string, transaction: Database): Promise<void> {
    const nowMs = this.#dependencies.clock.now();
    const counted = await transaction
      .updateTable('claim_batch')
      .set((builder) => ({ enrolled: builder('enrolled', '+', 1) }))
      .where('name', '=', name)
      .where('stopped_at_ms', 'is', null)
      .where('expires_at_ms', '>', nowMs)
      .whereRef('enrolled', '<', 'max_count')
      .executeTakeFirst();
    if (counted.numUpdatedRows > 0n) return;
    const row = await this.#rows(transaction).where('claim_batch.name', '=', name).executeTakeFirst();
    if (row !== undefined) ensureOpen(claimBatchOf(row), nowMs);
    throw new RefusedError(refusal('credential-invalid', `claim batch ${name} is no more`));
  }

  #rows(database: Database) {
    return database
      .selectFrom('claim_batch')
      .innerJoin('provisioning_template', 'provisioning_template.name', 'claim_batch.template')
      .select([
        'claim_batch.name',
        'claim_batch.template',
        'max_count',
        'rate_per_minute',
        'expires_at_ms',
        'enrolled',
        'claim_batch.created_at_ms',
        'stopped_at_ms',
        'group_path',
      ]) satisfies { execute(): Promise<ClaimBatchRow[]> };
  }
}

/** @throws RefusedError */
function ensureOpen(batch: ClaimBatch, nowMs: number): void {
  const { name, stoppedAtMs, expiresAtMs, enrolled, maxCount } = batch;
  if (stoppedAtMs !== undefined) throw new RefusedError(refusal('batch-stopped', `claim batch ${name} is stopped`));
  if (expiresAtMs <= nowMs) throw new RefusedError(refusal('batch-expired', `claim batch ${name} has expired`));
  if (enrolled >= maxCount)
    throw new RefusedError(refusal('batch-exhausted', `claim batch ${name} has enrolled all its ${maxCount} devices`));
}

function checkDraft({ name, maxCount, expiresAtMs, ratePerMinute }: ClaimBatchDraft, nowMs: number): void {
  if (!TEMPLATE_NAME.test(name)) throw invalid('name', 'the name of a claim batch is 1 to 128 of A-Z a-z 0-9 : _ . -');
  if (!isWhole(maxCount, MAX_BATCH_COUNT)) throw invalid('maxCount', `maxCount is 1 to ${MAX_BATCH_COUNT}`);
  if (!isWhole(ratePerMinute, MAX_RATE_PER_MINUTE))
    throw invalid('ratePerMinute', `ratePerMinute is 1 to ${MAX_RATE_PER_MINUTE}`);
  if (!Number.isSafeInteger(expiresAtMs) || expiresAtMs <= nowMs) throw invalid('expiresAtMs', 'expiresAtMs is a time to come');
}

function isWhole(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= max;
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field } });
}

function batchExists(name: string): SelsynError {
  return new SelsynError('claim-batch.exists', `there is a claim batch ${name} already, or certificates of one`, {
    details: { name },
  });
}

function noBatch(name: string): SelsynError {
  return new SelsynError('claim-batch.not-found', `there is no claim batch ${name}`, { details: { name } });
}
