import type { Actor } from '../audit/actor.ts';
import { systemActor } from '../audit/actor.ts';
import { AuditTrail } from '../audit/audit-trail.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { RandomBytes } from '../kernel/secret.ts';
import { ROOT_GROUP } from '../registry/group-path.ts';
import { auditOfAuthority, authorityOf, type AuthorityRecord, type AuthorityStatus } from './authority-record.ts';
import { commonNameOf, describeCertificate, readCertificateParts } from './certificate-reading.ts';
import type { CertificateService } from './certificate-service.ts';
import type { CertificateDescription, CertificateId, Signing } from './signing.ts';

export interface AuthorityServiceDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly signing: Pick<Signing, 'authorities' | 'verifyPossession'>;
  readonly certificates: Pick<CertificateService, 'revokeMany'>;
  /** Whether there is such a provisioning template. */
  readonly hasTemplate: (name: string) => Promise<boolean>;
  /** The authorities that TLS listeners are to trust are others now. */
  readonly onTrustChanged: () => Promise<void>;
}

/** A code that somebody is to have signed by the key of the authority that they want to register. */
export interface Registration {
  /** The common name of the certificate to be signed. */
  readonly code: string;
  readonly expiresAtMs: number;
}

export interface RegistrationRequest {
  readonly certificatePem: string;
  /** A certificate that the authority has signed, with the code as its common name. */
  readonly proofPem: string;
  readonly template?: string | undefined;
}

export interface AuthorityPatch {
  readonly status?: 'active' | 'inactive' | undefined;
  /** Null takes it away. */
  readonly template?: string | null | undefined;
}

/** Who registers an authority may have to go to a safe for its key. */
const CODE_LIFE_MS = 7 * 86_400_000;
/** 40 hex digits: a common name has 64 characters at most (RFC 5280, appendix A). */
const CODE_BYTES = 20;
const MAX_CODES = 1_000;
const ROWS_AT_ONCE = 2_000;

/** The authorities whose certificates are taken: those of this server, and those that were registered by proof of possession. */
export class AuthorityService {
  readonly #dependencies: AuthorityServiceDependencies;

  constructor(dependencies: AuthorityServiceDependencies) {
    this.#dependencies = dependencies;
  }

  /** Enters the authorities of this server; to be done at the start, and when `selsyn pki` has changed them. */
  async recordOwn(): Promise<void> {
    const { database, clock, signing } = this.#dependencies;
    const actor = systemActor('pki');
    for (const own of await signing.authorities()) {
      const description = describeCertificate(own.certificatePem);
      await database.transaction().execute(async (transaction) => {
        const row = { ...rowOf(description, clock.now()), kind: 'own', template: null };
        const isNew = await insert(transaction, row);
        if (!isNew) return;
        await this.#record(transaction, { actor, action: 'authority.create', after: authorityOf(row) });
      });
    }
  }

  /** All of them, the newest first. There are few. */
  async list(): Promise<readonly AuthorityRecord[]> {
    const rows = await this.#dependencies.database
      .selectFrom('authority')
      .selectAll()
      .orderBy('created_at_ms', 'desc')
      .orderBy('id')
      .execute();
    return rows.map(authorityOf);
  }

  /** @throws SelsynError `authority.not-found` */
  async get(id: CertificateId, database: Database = this.#dependencies.database): Promise<AuthorityRecord> {
    const row = await database.selectFrom('authority').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw new SelsynError('authority.not-found', `there is no authority ${id}`, { details: { id } });
    return authorityOf(row);
  }

  /** Gives a code, good for one registration within a week. Of very many that were never used the oldest are forgotten. */
  async openRegistration(): Promise<Registration> {
    const { database, clock, random } = this.#dependencies;
    const nowMs = clock.now();
    const registration = { code: Buffer.from(random(CODE_BYTES)).toString('hex'), expiresAtMs: nowMs + CODE_LIFE_MS };
    await database.transaction().execute(async (transaction) => {
      await transaction.deleteFrom('authority_registration').where('expires_at_ms', '<=', nowMs).execute();
      const newest = transaction.selectFrom('authority_registration').select('code').orderBy('created_at_ms', 'desc');
      await transaction
        .deleteFrom('authority_registration')
        .where('code', 'not in', newest.limit(MAX_CODES - 1))
        .execute();
      await transaction
        .insertInto('authority_registration')
        .values({ code: registration.code, created_at_ms: nowMs, expires_at_ms: registration.expiresAtMs })
        .execute();
    });
    return registration;
  }

  /**
   * Registers somebody's authority, who shows by a certificate with a code of ours that they hold its key. From then on TLS handshakes
   * trust it.
   *
   * @throws SelsynError `certificate.invalid`, `certificate.no-possession`, `authority.exists`, `request.invalid` (no such template)
   */
  async register(request: RegistrationRequest, actor: Actor): Promise<AuthorityRecord> {
    const { database, clock, signing } = this.#dependencies;
    const { certificatePem, proofPem, template } = request;
    await this.#ensureTemplate(template);
    const code = await this.#openCode(proofPem);
    const description = await signing.verifyPossession({ authorityPem: certificatePem, proofPem, code });
    const row = { ...rowOf(description, clock.now()), kind: 'registered', template: template ?? null };
    await database.transaction().execute(async (transaction) => {
      if (!(await insert(transaction, row)))
        throw new SelsynError('authority.exists', `${description.subject} is registered already`, { details: { id: row.id } });
      // Twice at the same time: the second finds it gone.
      const used = await transaction.deleteFrom('authority_registration').where('code', '=', code).executeTakeFirst();
      if (used.numDeletedRows === 0n) throw noCode();
      await this.#record(transaction, { actor, action: 'authority.register', after: authorityOf(row) });
    });
    await this.#dependencies.onTrustChanged();
    return authorityOf(row);
  }

  /** @throws SelsynError `authority.not-found`, `authority.not-changeable` (an own one, a revoked one), `request.invalid` */
  async update(id: CertificateId, patch: AuthorityPatch, actor: Actor): Promise<AuthorityRecord> {
    await this.#ensureTemplate(patch.template ?? undefined);
    const after = await this.#change(id, 'authority.update', actor, (before) => ({
      status: patch.status ?? before.status,
      template: patch.template === undefined ? (before.template ?? null) : patch.template,
      revokedAtMs: null,
    }));
    await this.#dependencies.onTrustChanged();
    return after;
  }

  /**
   * Takes the trust in a registered authority back, for good: no device registers itself by it any more. Its certificates are entries of
   * the registry and stay as they are, unless `withCertificates` is set: then all of them are revoked and their connections cut.
   *
   * @returns how many certificates were revoked
   * @throws SelsynError `authority.not-found`, `authority.not-changeable`
   */
  async revoke(id: CertificateId, { withCertificates }: { readonly withCertificates: boolean }, actor: Actor): Promise<number> {
    const { clock } = this.#dependencies;
    const before = await this.get(id);
    // Asked again it goes on with the certificates where it stopped.
    if (before.status !== 'revoked') {
      await this.#change(id, 'authority.revoke', actor, ({ template }) => ({
        status: 'revoked',
        template: template ?? null,
        revokedAtMs: clock.now(),
      }));
      await this.#dependencies.onTrustChanged();
    }
    return withCertificates ? await this.#revokeCertificates(id, actor) : 0;
  }

  async #ensureTemplate(name: string | undefined): Promise<void> {
    if (name === undefined || (await this.#dependencies.hasTemplate(name))) return;
    throw new SelsynError('request.invalid', `there is no provisioning template ${name}`, { details: { field: 'template' } });
  }

  /** The code that is the common name of the proof, where it is one of ours. */
  async #openCode(proofPem: string): Promise<string> {
    const { database, clock } = this.#dependencies;
    const code = commonNameOf(readCertificateParts(describeCertificate(proofPem).der).subject) ?? '';
    const row = await database
      .selectFrom('authority_registration')
      .select('code')
      .where('code', '=', code)
      .where('expires_at_ms', '>', clock.now())
      .executeTakeFirst();
    if (row === undefined) throw noCode();
    return row.code;
  }

  async #change(
    id: CertificateId,
    action: string,
    actor: Actor,
    decide: (before: AuthorityRecord) => {
      readonly status: AuthorityStatus;
      readonly template: string | null;
      readonly revokedAtMs: number | null;
    },
  ): Promise<AuthorityRecord> {
    return await this.#dependencies.database.transaction().execute(async (transaction) => {
      const before = await this.get(id, transaction);
      if (before.kind === 'own') throw notChangeable(before, 'it is one of this server: its keys are managed by `selsyn pki`');
      if (before.status === 'revoked') throw notChangeable(before, 'it is revoked');
      const { status, template, revokedAtMs } = decide(before);
      await transaction
        .updateTable('authority')
        .set({ status, template, revoked_at_ms: revokedAtMs })
        .where('id', '=', id)
        .execute();
      const after = await this.get(id, transaction);
      await this.#record(transaction, { actor, action, before, after });
      return after;
    });
  }

  /** Looks at all certificates in the order of their ids, so many at a time: there is no index for what is done so rarely. */
  async #revokeCertificates(authorityId: CertificateId, actor: Actor): Promise<number> {
    const { database, certificates } = this.#dependencies;
    let revoked = 0;
    for (let after = ''; ;) {
      const rows = await database
        .selectFrom('certificate')
        .select(['id', 'authority_id', 'status'])
        .where('id', '>', after)
        .orderBy('id')
        .limit(ROWS_AT_ONCE)
        .execute();
      const own = rows.filter(({ authority_id: id, status }) => id === authorityId && status !== 'revoked').map(({ id }) => id);
      revoked += (await certificates.revokeMany(own, 'cACompromise', actor)).length;
      const last = rows.at(-1);
      if (last === undefined || rows.length < ROWS_AT_ONCE) return revoked;
      after = last.id;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #record(
    transaction: Database,
    change: {
      readonly actor: Actor;
      readonly action: string;
      readonly before?: AuthorityRecord;
      readonly after: AuthorityRecord;
    },
  ): Promise<void> {
    const { actor, action, before, after } = change;
    const entry = {
      actor,
      action,
      object: { kind: 'authority', id: after.id },
      group: ROOT_GROUP,
      ...(before !== undefined && { before: auditOfAuthority(before) }),
      after: auditOfAuthority(after),
    };
    await new AuditTrail({ database: transaction, clock: this.#dependencies.clock }).record([entry], transaction);
  }
}

function rowOf(description: CertificateDescription, nowMs: number) {
  return {
    id: description.id,
    status: 'active',
    subject: description.subject,
    key_id: description.subjectKeyId ?? '',
    der: description.der,
    not_before_ms: description.notBeforeMs,
    not_after_ms: description.notAfterMs,
    created_at_ms: nowMs,
    revoked_at_ms: null,
  };
}

/** @returns whether it was not there. */
async function insert(
  transaction: Database,
  row: ReturnType<typeof rowOf> & { kind: string; template: string | null },
): Promise<boolean> {
  const inserted = await transaction
    .insertInto('authority')
    .values(row)
    .onConflict((conflict) => conflict.column('id').doNothing())
    .executeTakeFirst();
  return (inserted.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

function notChangeable({ id, subject }: AuthorityRecord, why: string): SelsynError {
  return new SelsynError('authority.not-changeable', `${subject} cannot be changed: ${why}`, { details: { id } });
}

function noCode(): SelsynError {
  return new SelsynError(
    'certificate.no-possession',
    'the common name of the certificate is no registration code that is open here: ask for one, have it signed, and send that within a week',
  );
}
