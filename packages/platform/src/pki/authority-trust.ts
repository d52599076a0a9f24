import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { isSelsynError } from '../kernel/errors.ts';
import { authorityOf, type AuthorityRecord } from './authority-record.ts';
import { authorityKeyIdOf, describeCertificate, readCertificateParts } from './certificate-reading.ts';
import { DerError } from './der-reader.ts';
import type { Signing } from './signing.ts';

export interface AuthorityTrustDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly signing: Pick<Signing, 'authorities' | 'issuerOf'>;
}

/** Authorities of one key and name: a renewed certificate beside the old one. */
const MAX_CANDIDATES = 16;

/** Whose certificates are taken, by handshakes and by just-in-time registration. */
export class AuthorityTrust {
  readonly #dependencies: AuthorityTrustDependencies;

  constructor(dependencies: AuthorityTrustDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * What TLS listeners trust in handshakes, PEM each: the own ones with their roots, without which OpenSSL takes no intermediate for the
   * end of a chain, and the registered ones that are active.
   */
  async trustedAuthorities(): Promise<readonly string[]> {
    const { database, signing } = this.#dependencies;
    const own = await signing.authorities();
    const rows = await database
      .selectFrom('authority')
      .selectAll()
      .where('kind', '=', 'registered')
      .where('status', '=', 'active')
      .orderBy('created_at_ms')
      .orderBy('id')
      .execute();
    return [
      ...new Set([
        ...own.flatMap(({ certificatePem, rootPem }) => [certificatePem, rootPem]),
        ...rows.map((row) => authorityOf(row).certificatePem),
      ]),
    ];
  }

  /**
   * The registered, active authority that has signed a certificate which a client showed: found by the names in the certificate, proved
   * by its signature. Undefined for one that nobody registered has signed, or whose authority is out of its time; never throws for what
   * is no certificate. Costs a look into the table for strangers, one signature check for the others.
   */
  async certificateAuthorityOf(der: Uint8Array): Promise<AuthorityRecord | undefined> {
    const { clock, signing } = this.#dependencies;
    const named = await this.#named(der);
    const nowMs = clock.now();
    const candidates = named.filter(
      ({ kind, notBeforeMs, notAfterMs }) => kind === 'registered' && notBeforeMs <= nowMs && nowMs < notAfterMs,
    );
    if (candidates.length === 0) return undefined;
    try {
      const authorities = candidates.map(({ certificatePem }) => certificatePem);
      const index = await signing.issuerOf({ certificate: der, authorities });
      return index === undefined ? undefined : candidates[index];
    } catch (error) {
      if (isSelsynError(error, 'certificate.invalid')) return undefined;
      throw error;
    }
  }

  /** Those that are active and may be its issuer, going by the names alone. */
  async #named(der: Uint8Array): Promise<readonly AuthorityRecord[]> {
    const { database } = this.#dependencies;
    let keyId: string | undefined;
    try {
      keyId = authorityKeyIdOf(readCertificateParts(der))?.toString('hex');
    } catch (error) {
      if (error instanceof DerError) return [];
      throw error;
    }
    const rows = database.selectFrom('authority').selectAll().where('status', '=', 'active').limit(MAX_CANDIDATES);
    if (keyId !== undefined) {
      const found = await rows.where('key_id', '=', keyId).execute();
      if (found.length > 0) return found.map(authorityOf);
    }
    // Not every authority names itself by its key: then its name must do.
    const issuer = issuerOf(der);
    return issuer === undefined ? [] : (await rows.where('subject', '=', issuer).execute()).map(authorityOf);
  }
}

function issuerOf(der: Uint8Array): string | undefined {
  try {
    return describeCertificate(der).issuer;
  } catch {
    return undefined;
  }
}
