import type { Actor } from '../audit/actor.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { EVERYTHING, isEverything, type Scope, scopeIncludes } from '../registry/scope.ts';
import { CertificateIssuer } from './certificate-issuer.ts';
import { CertificateKeeper } from './certificate-keeper.ts';
import { type CertificatePage, type CertificateQuery, listCertificates } from './certificate-listing.ts';
import { CERTIFICATE_COLUMNS, certificateOf, principalOf, type Certificate } from './certificate-record.ts';
import {
  type CertificateFacts,
  findCertificates,
  groupsOf,
  type KeepOptions,
  newestFirst,
  writeRevoked,
} from './certificate-store.ts';
import { CertificateUses } from './certificate-uses.ts';
import { pemOf } from './pem.ts';
import type { CertificateId, IssuedCertificate, RevocationReason, Signing, SubjectKey } from './signing.ts';

export interface CertificateServiceDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly signing: Pick<Signing, 'issue'>;
  /** Of certificates for which nobody says when they end. No certificate ends later than that of its authority. */
  readonly lifetimeMs: number;
  /** After the commit: what these principals (device ids, claims) may do is to be read again, and who is let in no more is cut. */
  readonly onAccessChanged: (principals: readonly string[]) => Promise<void>;
  /** What third parties are told of the certificates of these authorities is out of date. */
  readonly onRevoked: (authorityIds: ReadonlySet<CertificateId>) => void;
}

export interface SignOptions {
  /** The only thing that the subject says: the device id, or the name of a claim's batch. */
  readonly commonName: string;
  readonly notAfterMs?: number | undefined;
}

export type IssueOptions = SignOptions & KeepOptions;

/** An issued certificate, as it is handed out. */
export interface HandedCertificate {
  readonly certificateId: CertificateId;
  readonly certificatePem: string;
  /** The intermediates between it and the root, in this order; may be empty. */
  readonly chainPem: string;
  /** Only where the key was made here. It is kept nowhere. */
  readonly privateKeyPem?: string;
  readonly notAfterMs: number;
}

/** A clock of a device may be late by so much when it gets its certificate. */
const BACKDATED_MS = 3_600_000;
const ROWS_PER_TRANSACTION = 500;

/**
 * The certificates of devices and claims. Only one thread writes.
 *
 * Life: issued `pending` (fleet provisioning) or `active`; a pending one is activated for a device, or deleted after an hour; an active
 * one is in use until it is revoked or ends.
 *
 * Rotation: a device has at most two active certificates. When it first connects with one, those that were activated before are revoked
 * as `superseded`; so a device changes over when it is ready, and the old one is good until then. When a third is activated, the oldest
 * that nobody has used gives way: a device that lost its new key asks again, and is never locked out.
 */
export class CertificateService {
  readonly #dependencies: CertificateServiceDependencies;
  readonly #issuer: CertificateIssuer;
  readonly #keeper: CertificateKeeper;
  readonly #uses: CertificateUses;

  constructor(dependencies: CertificateServiceDependencies) {
    this.#dependencies = dependencies;
    this.#issuer = new CertificateIssuer(dependencies.signing);
    this.#keeper = new CertificateKeeper(dependencies);
    this.#uses = new CertificateUses(dependencies);
  }

  /**
   * Signs a certificate for the key of a request and keeps it.
   * @throws SelsynError `csr.invalid`, `csr.weak-key`, `device.not-found`, `signer.busy`, `signer.unavailable`
   */
  async issueFromCsr(options: IssueOptions & { readonly csr: string | Uint8Array }): Promise<HandedCertificate> {
    return await this.#issue({ csr: options.csr }, options);
  }

  /** The same for a key that is made here. @throws SelsynError `device.not-found`, `signer.busy`, `signer.unavailable` */
  async issueWithNewKey(options: IssueOptions): Promise<HandedCertificate & { readonly privateKeyPem: string }> {
    const { privateKeyPem, ...handed } = await this.#issue({ generate: true }, options);
    if (privateKeyPem === undefined) throw new SelsynError('internal', 'the signer made no key');
    return { ...handed, privateKeyPem };
  }

  /**
   * Signs, and keeps nothing: nobody gets in with it until it is kept. For who has more to write in the same transaction as the
   * certificate: sign first, so that no transaction is open while a signature is waited for.
   */
  async sign(key: SubjectKey, { commonName, notAfterMs }: SignOptions): Promise<IssuedCertificate> {
    const nowMs = this.#dependencies.clock.now();
    return await this.#issuer.issue({
      key,
      commonName,
      use: 'client',
      notBeforeMs: nowMs - BACKDATED_MS,
      notAfterMs: notAfterMs ?? nowMs + this.#dependencies.lifetimeMs,
    });
  }

  /**
   * Keeps a certificate, of this server or of a registered authority.
   * @param transaction without it: one of its own, which is shared with what comes at the same time.
   * @throws SelsynError `certificate.exists`, `device.not-found`
   */
  async keep(facts: CertificateFacts, options: KeepOptions, transaction?: Database): Promise<Certificate> {
    return await this.#keeper.keep(facts, options, transaction);
  }

  /**
   * A pending certificate becomes that of a device, and lets it in.
   * @throws SelsynError `certificate.not-found`, `certificate.not-pending`, `device.not-found`
   */
  async activate(id: CertificateId, deviceId: string, actor: Actor, transaction?: Database): Promise<Certificate> {
    return await inTransaction(
      transaction ?? this.#dependencies.database,
      async (inner) => await this.#keeper.activate({ id, deviceId, actor }, inner),
    );
  }

  /**
   * Takes a certificate back: at once nobody gets in with it, and who is in with it is cut before this resolves. One that is revoked
   * stays as it is.
   * @throws SelsynError `certificate.not-found`
   */
  async revoke(id: CertificateId, reason: RevocationReason, actor: Actor): Promise<Certificate> {
    const [revoked] = await this.revokeMany([id], reason, actor);
    return revoked ?? (await this.get(id));
  }

  /** Those of the certificates that are not revoked yet, in steps; not all or none. @returns what they are now */
  async revokeMany(ids: readonly CertificateId[], reason: RevocationReason, actor: Actor): Promise<readonly Certificate[]> {
    const { database } = this.#dependencies;
    const all: Certificate[] = [];
    for (let start = 0; start < ids.length; start += ROWS_PER_TRANSACTION) {
      const some = ids.slice(start, start + ROWS_PER_TRANSACTION);
      const revoked = await inTransaction(database, async (transaction) =>
        this.#revoke(transaction, await findCertificates(transaction, some), { reason, actor }),
      );
      await this.#cut(revoked);
      all.push(...revoked);
    }
    return all;
  }

  /**
   * Takes back all certificates of devices, within the transaction that removes them: a device that comes back under the same id is not
   * let in by what the one before had. The caller cuts the connections after the commit.
   */
  async revokeOfDevices(
    deviceIds: readonly string[],
    { reason = 'cessationOfOperation', actor }: { readonly reason?: RevocationReason; readonly actor: Actor },
    transaction: Database,
  ): Promise<void> {
    for (let start = 0; start < deviceIds.length; start += ROWS_PER_TRANSACTION) {
      const rows = await transaction
        .selectFrom('certificate')
        .select(CERTIFICATE_COLUMNS)
        .where('device_id', 'in', deviceIds.slice(start, start + ROWS_PER_TRANSACTION))
        .where('status', '<>', 'revoked')
        .execute();
      await this.#revoke(transaction, rows.map(certificateOf), { reason, actor });
    }
  }

  /** The same in a transaction of its own, before the sessions of the device are ended. */
  async revokeOfDevice(deviceId: string, actor: Actor): Promise<void> {
    const { database } = this.#dependencies;
    await inTransaction(database, async (transaction) => await this.revokeOfDevices([deviceId], { actor }, transaction));
  }

  /** A client was let in with a certificate that nobody had used before: those of the same device before it are revoked. */
  async credentialUsed(id: CertificateId): Promise<void> {
    await this.#uses.first(id);
  }

  /** @param scope one of a device outside of it is not there. */
  async find(id: CertificateId, scope: Scope = EVERYTHING): Promise<Certificate | undefined> {
    const { database } = this.#dependencies;
    const [certificate] = await findCertificates(database, [id]);
    if (certificate === undefined || isEverything(scope)) return certificate;
    const { deviceId } = certificate;
    const group = deviceId === undefined ? undefined : (await groupsOf(database, [deviceId])).get(deviceId);
    return group !== undefined && scopeIncludes(scope, group) ? certificate : undefined;
  }

  /** @throws SelsynError `certificate.not-found` */
  async get(id: CertificateId, scope: Scope = EVERYTHING): Promise<Certificate> {
    const certificate = await this.find(id, scope);
    if (certificate === undefined) throw noCertificate(id);
    return certificate;
  }

  /** @throws SelsynError `certificate.not-found` */
  async pem(id: CertificateId): Promise<string> {
    const { database } = this.#dependencies;
    const row = await database.selectFrom('certificate').select('der').where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw noCertificate(id);
    return pemOf('CERTIFICATE', row.der);
  }

  /** All of a device, in any state, the newest first. */
  async listOf(deviceId: string): Promise<readonly Certificate[]> {
    const { database } = this.#dependencies;
    const rows = await database.selectFrom('certificate').select(CERTIFICATE_COLUMNS).where('device_id', '=', deviceId).execute();
    return rows.map(certificateOf).sort((one, other) => other.createdAtMs - one.createdAtMs || newestFirst(one, other));
  }

  /** @throws SelsynError `request.invalid` for a cursor that is none. */
  async list(query: CertificateQuery): Promise<CertificatePage> {
    return await listCertificates(this.#dependencies, query);
  }

  async #issue(key: SubjectKey, options: IssueOptions): Promise<HandedCertificate> {
    const issued = await this.sign(key, options);
    await this.keep(issued, options);
    return handed(issued);
  }

  async #revoke(
    transaction: Database,
    certificates: readonly Certificate[],
    { reason, actor }: { readonly reason: RevocationReason; readonly actor: Actor },
  ): Promise<readonly Certificate[]> {
    const standing = certificates.filter(({ status }) => status !== 'revoked');
    if (standing.length === 0) return [];
    const { clock, onRevoked } = this.#dependencies;
    onRevoked(new Set(standing.map(({ authorityId }) => authorityId)));
    return await writeRevoked({ transaction, clock, actor }, standing, reason);
  }

  async #cut(revoked: readonly Certificate[]): Promise<void> {
    const principals = new Set(revoked.map(principalOf).filter((id) => id !== undefined));
    if (principals.size > 0) await this.#dependencies.onAccessChanged([...principals]);
  }
}

/** What is handed out of a certificate that was signed. */
export function handed(issued: IssuedCertificate): HandedCertificate {
  const { id, certificatePem, chainPem, privateKeyPem, notAfterMs } = issued;
  return { certificateId: id, certificatePem, chainPem, ...(privateKeyPem !== undefined && { privateKeyPem }), notAfterMs };
}

function noCertificate(id: CertificateId): SelsynError {
  return new SelsynError('certificate.not-found', `there is no certificate ${id}`, { details: { id } });
}
