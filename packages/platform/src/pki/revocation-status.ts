import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { isSelsynError } from '../kernel/errors.ts';
import { type OcspRequest, ocspIssuerHashes, readOcspRequest, type IssuerHashes } from './ocsp-request.ts';
import { ocspError } from './ocsp-response.ts';
import type { CertificateId, OcspCertId, OcspStatus, RevocationReason, Signing, SigningAuthority } from './signing.ts';

/** An OCSPResponse as it is served. */
export interface StatusAnswer {
  readonly der: Uint8Array;
  /** Until when a copy is good; undefined: it is not to be kept. */
  readonly goodUntilMs: number | undefined;
}

export interface RevocationStatusDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly signing: Pick<Signing, 'authorities' | 'answerOcsp'>;
}

interface Kept {
  readonly der: Uint8Array;
  readonly goodUntilMs: number;
}

/** How long a third party may believe an answer. */
const LIFE_MS = 3_600_000;
/** How long the same bytes are given again. */
const REUSE_MS = 300_000;
const BACKDATED_MS = 300_000;
/** Some 600 bytes each. */
const MAX_KEPT = 10_000;
/** Answers that are made at a time; whoever asks beyond is told to try later. Everybody may ask: devices wait for the same signer. */
const MAX_UNDER_WAY = 50;
const AUTHORITIES_FOR_MS = 5_000;

/**
 * Tells third parties whether certificates of this server are good (OCSP, RFC 6960).
 *
 * `good`: issued here, active. `unknown`: not issued here, or not active yet. An answer has what was committed before the question;
 * those without a nonce are kept for five minutes, or until something is revoked.
 */
export class RevocationStatus {
  readonly #dependencies: RevocationStatusDependencies;
  readonly #hashes = new Map<CertificateId, ReturnType<typeof ocspIssuerHashes>>();
  /** By the request's CertID; the oldest first. */
  readonly #kept = new Map<string, Kept>();
  #version = 0;
  #underWay = 0;
  #authorities: { readonly list: readonly SigningAuthority[]; readonly untilMs: number } | undefined;

  constructor(dependencies: RevocationStatusDependencies) {
    this.#dependencies = dependencies;
  }

  /** What was said may not be true any more; before or after the commit. */
  changed(): void {
    this.#version += 1;
    this.#kept.clear();
  }

  /** Never rejects: a fault is an answer too (RFC 6960, section 2.3). */
  async answer(bytes: Uint8Array): Promise<StatusAnswer> {
    let request: OcspRequest;
    try {
      request = readOcspRequest(bytes);
    } catch {
      return { der: ocspError('malformedRequest'), goodUntilMs: undefined };
    }
    const kept = this.#find(request);
    if (kept !== undefined) return kept;
    if (this.#underWay >= MAX_UNDER_WAY) return { der: ocspError('tryLater'), goodUntilMs: undefined };
    this.#underWay += 1;
    try {
      return await this.#make(request);
    } catch (error) {
      const isBusy = isSelsynError(error) && error.retryable;
      return { der: ocspError(isBusy ? 'tryLater' : 'internalError'), goodUntilMs: undefined };
    } finally {
      this.#underWay -= 1;
    }
  }

  #find(request: OcspRequest): Kept | undefined {
    const key = keyOf(request);
    const kept = key === undefined ? undefined : this.#kept.get(key);
    return kept !== undefined && this.#dependencies.clock.now() < kept.goodUntilMs ? kept : undefined;
  }

  async #make(request: OcspRequest): Promise<StatusAnswer> {
    const { clock, signing } = this.#dependencies;
    const { certIds, nonce } = request;
    const nowMs = clock.now();
    const version = this.#version;
    const authorityId = await this.#authorityOf(certIds);
    // Neither an authority of this server nor several: there is nobody who could sign (RFC 5019, section 2.2.3).
    if (authorityId === undefined) return { der: ocspError('unauthorized'), goodUntilMs: undefined };
    const statuses = await this.#statusesOf(authorityId, certIds);
    const der = await signing.answerOcsp({
      authorityId,
      nonce,
      thisUpdateMs: nowMs - BACKDATED_MS,
      nextUpdateMs: nowMs + LIFE_MS,
      answers: certIds.map((certId, index) => ({ certId, status: statuses[index] ?? { status: 'unknown' } })),
    });
    const key = keyOf(request);
    if (key === undefined) return { der, goodUntilMs: undefined };
    const answer = { der, goodUntilMs: nowMs + REUSE_MS };
    if (version === this.#version) this.#keep(key, answer);
    return answer;
  }

  #keep(key: string, answer: Kept): void {
    this.#kept.delete(key);
    this.#kept.set(key, answer);
    if (this.#kept.size <= MAX_KEPT) return;
    for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest);
      break;
    }
  }

  /** The one authority of this server that all of them name. */
  async #authorityOf(certIds: readonly OcspCertId[]): Promise<CertificateId | undefined> {
    for (const { id, certificatePem, canSign } of await this.#ownAuthorities()) {
      if (!canSign) continue;
      let hashes = this.#hashes.get(id);
      if (hashes === undefined) {
        hashes = ocspIssuerHashes(certificatePem);
        this.#hashes.set(id, hashes);
      }
      const own = hashes;
      if (certIds.every((certId) => names(certId, own[certId.hash]))) return id;
    }
    return undefined;
  }

  async #ownAuthorities(): Promise<readonly SigningAuthority[]> {
    const { clock, signing } = this.#dependencies;
    const nowMs = clock.now();
    if (this.#authorities === undefined || nowMs >= this.#authorities.untilMs)
      this.#authorities = { list: await signing.authorities(), untilMs: nowMs + AUTHORITIES_FOR_MS };
    return this.#authorities.list;
  }

  async #statusesOf(authorityId: CertificateId, certIds: readonly OcspCertId[]): Promise<readonly OcspStatus[]> {
    const rows = await this.#dependencies.database
      .selectFrom('certificate')
      .select(['serial', 'status', 'revoked_at_ms', 'revocation_reason'])
      .where('authority_id', '=', authorityId)
      .where(
        'serial',
        'in',
        certIds.map(({ serial }) => serial),
      )
      .execute();
    const found = new Map(rows.map((row) => [row.serial, row]));
    return certIds.map(({ serial }): OcspStatus => {
      const row = found.get(serial);
      if (row?.status === 'active') return { status: 'good' };
      if (row?.status !== 'revoked') return { status: 'unknown' };
      const reason = (row.revocation_reason ?? 'unspecified') as RevocationReason;
      return { status: 'revoked', revokedAtMs: Number(row.revoked_at_ms), reason };
    });
  }
}

/** An answer with a nonce is for whoever asked alone. */
function keyOf({ certIds, nonce }: OcspRequest): string | undefined {
  return nonce === undefined ? Buffer.concat(certIds.map(({ der }) => der)).toString('base64') : undefined;
}

function names(certId: OcspCertId, { nameHash, keyHash }: IssuerHashes): boolean {
  return certId.issuerNameHash === nameHash && certId.issuerKeyHash === keyHash;
}
