import type { ErrorCode } from '../kernel/errors.ts';

/** SHA-256 of a certificate's DER, 64 hex digits in lower case: what AWS calls its certificate id. */
export type CertificateId = string;

/** `P-256`, `P-384`, or `RSA-` and the bits of the modulus; `other` only for certificates that were issued elsewhere. */
export type KeyKind = 'P-256' | 'P-384' | `RSA-${number}` | 'other';

/** Where the key of a certificate to be issued comes from. */
export type SubjectKey =
  /** A PKCS#10 request, PEM or DER; its signature is the proof of possession, and nothing else in it is believed. */
  | { readonly csr: string | Uint8Array }
  /** A key that is made for it, on P-256. */
  | { readonly generate: true }
  /** A public key (SPKI DER) of which the caller knows that its owner has the private one. */
  | { readonly publicKey: Uint8Array };

export interface IssueRequest {
  readonly key: SubjectKey;
  /** The one thing the subject says. 1 to 128 characters. */
  readonly commonName: string;
  readonly use: 'client' | 'server';
  /** Which authority of this server is to sign; undefined: the one that issues. */
  readonly authorityId?: CertificateId | undefined;
  /** For a server: its host names and addresses. */
  readonly names?: readonly { readonly type: 'dns' | 'ip'; readonly value: string }[];
  /** Whole seconds count. Cut to the validity of the authority. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface IssuedCertificate {
  readonly id: CertificateId;
  readonly authorityId: CertificateId;
  /** 32 hex digits, lower case. */
  readonly serial: string;
  /** As openssl and Node print it: `CN=sensor123`. */
  readonly subject: string;
  /** SHA-256 of the SPKI, base64url. */
  readonly keyHash: string;
  readonly keyKind: KeyKind;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly der: Uint8Array;
  readonly certificatePem: string;
  /** The certificates between it and the root, without the root; empty where the issuing authority is its own root. */
  readonly chainPem: string;
  /** PKCS#8, only where the key was made here. Kept nowhere else. */
  readonly privateKeyPem?: string;
}

/** One answer a request, in their order: what one asks for wrongly does not spoil the batch. */
export type IssueResult =
  | { readonly issued: IssuedCertificate }
  | { readonly refused: { readonly code: ErrorCode; readonly message: string } };

export interface CheckedCsr {
  /** SHA-256 of the SPKI, base64url. */
  readonly keyHash: string;
  readonly keyKind: KeyKind;
  /** SPKI DER. */
  readonly publicKey: Uint8Array;
}

/** An authority of this server: the one that issues now, or one that has issued what is still in use. */
export interface SigningAuthority {
  readonly id: CertificateId;
  /** The one that issues. Exactly one does. */
  readonly issuing: boolean;
  /** `local`: made at the first start. `intermediate`: by `selsyn pki`. */
  readonly kind: 'local' | 'intermediate';
  /** Whether its key can be used here: CRLs and OCSP answers need it. */
  readonly canSign: boolean;
  readonly subject: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly certificatePem: string;
  /** From the authority itself upwards, without the root; empty where it is its own root. What a leaf is sent with. */
  readonly chainPem: string;
  /** The root that a client is to trust for what it issued; itself where it is one. */
  readonly rootPem: string;
}

export interface CertificateDescription {
  readonly id: CertificateId;
  /** Hex, lower case, without leading zeros in front of its bytes. */
  readonly serial: string;
  readonly subject: string;
  readonly issuer: string;
  readonly commonName: string | undefined;
  readonly keyHash: string;
  readonly keyKind: KeyKind;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Whether it may sign certificates (basic constraints, key usage). */
  readonly isAuthority: boolean;
  /** Subject and authority key identifiers, hex; undefined where it has none. */
  readonly subjectKeyId: string | undefined;
  readonly authorityKeyId: string | undefined;
  readonly der: Uint8Array;
  readonly pem: string;
}

/** RFC 5280, section 5.3.1. */
export type RevocationReason =
  | 'unspecified'
  | 'keyCompromise'
  | 'cACompromise'
  | 'affiliationChanged'
  | 'superseded'
  | 'cessationOfOperation'
  | 'privilegeWithdrawn';

export interface RevokedCertificate {
  /** Hex. */
  readonly serial: string;
  readonly revokedAtMs: number;
  readonly reason: RevocationReason;
}

export interface CrlRequest {
  readonly authorityId: CertificateId;
  /** Grows with each CRL of an authority. */
  readonly number: number;
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number;
  /** Pieces from `encodeRevoked` (pki/crl.ts), which the caller makes page by page while it reads its table. */
  readonly revoked: readonly Uint8Array[];
}

/** What `readOcspRequest` (pki/ocsp-request.ts) finds in a request, for one certificate. */
export interface OcspCertId {
  /** The DER of the CertID as asked; it is answered in the same words. */
  readonly der: Uint8Array;
  readonly hash: 'sha1' | 'sha256';
  /** Hex. Compare with `ocspIssuerHashes(authority)`. */
  readonly issuerNameHash: string;
  readonly issuerKeyHash: string;
  readonly serial: string;
}

export type OcspStatus =
  | { readonly status: 'good' }
  | { readonly status: 'unknown' }
  | { readonly status: 'revoked'; readonly revokedAtMs: number; readonly reason: RevocationReason };

export interface OcspAnswer {
  readonly authorityId: CertificateId;
  readonly nonce: Uint8Array | undefined;
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number;
  readonly answers: readonly { readonly certId: OcspCertId; readonly status: OcspStatus }[];
}

/**
 * Everything that costs an asymmetric key operation. In the server this is the signer thread; `LocalSigning` is the same in
 * process. Calls are answered in order of arrival.
 *
 * All methods: @throws SelsynError `signer.busy` (queue full), `signer.unavailable` (token gone; retryable both), `thread.timeout`
 */
export interface Signing {
  authorities(): Promise<readonly SigningAuthority[]>;

  /** Issues certificates: one answer a request, in their order. Batches are best kept to a few hundred. */
  issue(requests: readonly IssueRequest[]): Promise<readonly IssueResult[]>;

  /** @throws SelsynError `csr.invalid`, `csr.weak-key` */
  checkCsr(csr: string | Uint8Array): Promise<CheckedCsr>;

  /** The DER of a signed CRL (RFC 5280, section 5). @throws SelsynError `authority.not-found` */
  makeCrl(request: CrlRequest): Promise<Uint8Array>;

  /** The DER of a signed OCSPResponse (RFC 6960, section 4.2). @throws SelsynError `authority.not-found` */
  answerOcsp(answer: OcspAnswer): Promise<Uint8Array>;

  /**
   * Checks a certificate authority that somebody wants to register: that it is one, in time, with a key of good strength; and
   * that he holds its key: `proofPem` is a certificate it has signed whose common name is `code`.
   * @returns the description of the authority @throws SelsynError `certificate.invalid`, `certificate.no-possession`
   */
  verifyPossession(request: {
    readonly authorityPem: string;
    readonly proofPem: string;
    readonly code: string;
  }): Promise<CertificateDescription>;

  /** @throws SelsynError `certificate.invalid` */
  describeCertificate(certificate: string | Uint8Array): Promise<CertificateDescription>;

  /** Whether one of `authorities` (PEM each) has signed it, by the signature and the names; the index, or undefined. Not its time. */
  issuerOf(request: {
    readonly certificate: string | Uint8Array;
    readonly authorities: readonly string[];
  }): Promise<number | undefined>;

  /** Reads the authorities again, after `selsyn pki` has changed them. */
  reload(): Promise<void>;
}
