import type { X509Certificate } from 'node:crypto';
import type { Clock } from '../kernel/clock.ts';
import { isSelsynError, SelsynError } from '../kernel/errors.ts';
import { type Authorities, type AuthoritiesOptions, type Authority, openAuthorities } from './authorities.ts';
import { verifyPossession } from './authority-possession.ts';
import { issueCertificate } from './certificate-issuing.ts';
import { asX509, describeCertificate } from './certificate-reading.ts';
import type { Issuer } from './certificate-template.ts';
import { makeCrl } from './crl.ts';
import { checkCsr } from './csr.ts';
import { makeOcspResponse, makeResponder, type OcspResponder } from './ocsp-response.ts';
import { publicationUrls } from './publication.ts';
import type {
  CertificateDescription,
  CheckedCsr,
  CrlRequest,
  IssueRequest,
  IssueResult,
  OcspAnswer,
  Signing,
  SigningAuthority,
} from './signing.ts';

export interface LocalSigningOptions extends AuthoritiesOptions {
  /** Base of the addresses that certificates name for CRL, OCSP and the authority; empty: they name none. */
  readonly publicUrl?: string | undefined;
}

const RESPONDER_LIFE_MS = 14 * 86_400_000;
const RESPONDER_RENEW_MS = 7 * 86_400_000;
const BACKDATED_MS = 86_400_000;

/** Signing in the thread of the caller: that of the signer thread, and of programs and tests that have none. It blocks while it works. */
export class LocalSigning implements Signing {
  readonly #options: LocalSigningOptions;
  readonly #clock: Clock;
  #authorities: Authorities;
  /** By the id of their authority. */
  readonly #responders = new Map<string, { readonly responder: OcspResponder; readonly renewAtMs: number }>();

  private constructor(options: LocalSigningOptions, authorities: Authorities) {
    this.#options = options;
    this.#clock = options.clock;
    this.#authorities = authorities;
  }

  /** Opens the authorities of a folder, making the local one where there is none. @throws SelsynError `data.unwritable`, `data.corrupt` */
  static open(options: LocalSigningOptions): LocalSigning {
    return new LocalSigning(options, openAuthorities(options));
  }

  async authorities(): Promise<readonly SigningAuthority[]> {
    return this.#authorities.map(({ facts }) => facts);
  }

  async issue(requests: readonly IssueRequest[]): Promise<readonly IssueResult[]> {
    return requests.map((request) => this.issueOne(request));
  }

  /** As one of `issue`. */
  issueOne(request: IssueRequest): IssueResult {
    try {
      const authority = request.authorityId === undefined ? this.#authorities[0] : this.#find(request.authorityId);
      return { issued: issueCertificate(authority, publicationUrls(this.#options.publicUrl ?? '', authority.facts.id), request) };
    } catch (error) {
      if (!isSelsynError(error, 'csr.invalid', 'csr.weak-key', 'request.invalid', 'authority.not-found')) throw error;
      return { refused: { code: error.code, message: error.message } };
    }
  }

  async checkCsr(csr: string | Uint8Array): Promise<CheckedCsr> {
    return checkCsr(csr);
  }

  async makeCrl({ authorityId, ...request }: CrlRequest): Promise<Uint8Array> {
    return makeCrl(this.#issuerOf(authorityId), request);
  }

  async answerOcsp({ authorityId, ...answer }: OcspAnswer): Promise<Uint8Array> {
    return makeOcspResponse(this.#responderOf(authorityId), answer);
  }

  async verifyPossession(request: Parameters<Signing['verifyPossession']>[0]): Promise<CertificateDescription> {
    return verifyPossession(request, this.#clock.now());
  }

  async describeCertificate(certificate: string | Uint8Array): Promise<CertificateDescription> {
    return describeCertificate(certificate);
  }

  async issuerOf({ certificate, authorities }: Parameters<Signing['issuerOf']>[0]): Promise<number | undefined> {
    const leaf = asX509(certificate);
    const index = authorities.findIndex((pem) => isIssuedBy(leaf, asX509(pem)));
    return index < 0 ? undefined : index;
  }

  async reload(): Promise<void> {
    this.#authorities = openAuthorities(this.#options);
  }

  #issuerOf(authorityId: string): Issuer {
    const { issuer } = this.#find(authorityId);
    if (issuer === undefined)
      throw new SelsynError('signer.unavailable', `the key of the authority ${authorityId} is not here`, {
        details: { authorityId },
      });
    return issuer;
  }

  #responderOf(authorityId: string): OcspResponder {
    const nowMs = this.#clock.now();
    const known = this.#responders.get(authorityId);
    if (known !== undefined && nowMs < known.renewAtMs) return known.responder;
    const { facts } = this.#find(authorityId);
    const responder = makeResponder(this.#issuerOf(authorityId), {
      notBeforeMs: Math.max(nowMs - BACKDATED_MS, facts.notBeforeMs),
      notAfterMs: Math.min(nowMs + RESPONDER_LIFE_MS, facts.notAfterMs),
    });
    this.#responders.set(authorityId, { responder, renewAtMs: nowMs + RESPONDER_RENEW_MS });
    return responder;
  }

  #find(authorityId: string): Authority {
    const found = this.#authorities.find(({ facts }) => facts.id === authorityId);
    if (found === undefined)
      throw new SelsynError('authority.not-found', `there is no authority ${authorityId}`, { details: { authorityId } });
    return found;
  }
}

function isIssuedBy(leaf: X509Certificate, authority: X509Certificate): boolean {
  return leaf.checkIssued(authority) && leaf.verify(authority.publicKey);
}
