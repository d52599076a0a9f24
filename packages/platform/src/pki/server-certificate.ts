import { createPrivateKey, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { publicKeyOf, validityOf } from './authority-certificate.ts';
import { readOrMakeKey, readText, writePublic } from './pki-files.ts';
import { readSubjectAltNames, sameServerNames, type ServerName } from './server-names.ts';
import type { Signing, SigningAuthority } from './signing.ts';

/** A certificate, followed by those between it and its root, and its private key; PEM all. */
export interface CertifiedKey {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

const DAY_MS = 86_400_000;
/** Apple's systems take no server certificate that is valid for longer. */
const SERVER_DAYS = 825;
const RENEW_BEFORE_MS = 60 * DAY_MS;

/**
 * This server's certificate and key, `server.crt` and `server.key` in the folder: those that are there while they are by the authority
 * that is to sign it, for just these names and not close to their end; else the certificate is made anew.
 * @throws SelsynError `data.unwritable`, `data.corrupt`, `signer.unavailable`
 */
export async function keepServerCertificate(options: {
  readonly dir: string;
  readonly names: readonly ServerName[];
  readonly signing: Signing;
  /** Who signs it; undefined: the one that issues. */
  readonly authority?: SigningAuthority;
  readonly clock: Clock;
}): Promise<CertifiedKey> {
  const { dir, names, signing, clock } = options;
  const authority = options.authority ?? (await issuingAuthority(signing));
  const privateKeyPem = readOrMakeKey(join(dir, 'server.key'));
  const file = join(dir, 'server.crt');
  const present = readIfWhole(file);
  if (present !== undefined && stillServes({ certificate: present, privateKeyPem, names, authority, nowMs: clock.now() }))
    return { certificatePem: chainOf(present.toString(), authority.chainPem), privateKeyPem };
  const publicKey = publicKeyOf(privateKeyPem);
  const request = {
    key: { publicKey },
    commonName: 'Selsyn',
    use: 'server',
    names,
    authorityId: authority.id,
    ...validityOf(clock.now(), SERVER_DAYS),
  } as const;
  const [result] = await signing.issue([request]);
  if (result === undefined || 'refused' in result)
    throw new SelsynError('internal', `the server certificate was not issued: ${result?.refused.message}`);
  const { certificatePem, chainPem } = result.issued;
  return { certificatePem: writePublic(file, chainOf(certificatePem, chainPem)), privateKeyPem };
}

export async function issuingAuthority(signing: Signing): Promise<SigningAuthority> {
  const issuing = (await signing.authorities()).find((authority) => authority.issuing);
  if (issuing === undefined) throw new SelsynError('internal', 'no authority issues');
  return issuing;
}

/** The authority made at the first start; where there is none (any more), the one that issues. */
export async function localAuthority(signing: Signing): Promise<SigningAuthority> {
  return (await signing.authorities()).find(({ kind }) => kind === 'local') ?? (await issuingAuthority(signing));
}

/** A TLS server sends all but the root (RFC 8446, section 4.4.2). */
function chainOf(certificatePem: string, chainPem: string): string {
  return `${certificatePem.trimEnd()}\n${chainPem}`;
}

function stillServes(options: {
  readonly certificate: X509Certificate;
  readonly privateKeyPem: string;
  readonly names: readonly ServerName[];
  readonly authority: SigningAuthority;
  readonly nowMs: number;
}): boolean {
  const { certificate, authority, nowMs } = options;
  const issuer = new X509Certificate(authority.certificatePem);
  const { validFromDate, validToDate } = certificate;
  const renewAtMs = Math.min(validToDate.getTime() - RENEW_BEFORE_MS, authority.notAfterMs);
  return (
    certificate.checkPrivateKey(createPrivateKey(options.privateKeyPem)) &&
    certificate.verify(issuer.publicKey) &&
    certificate.checkIssued(issuer) &&
    validFromDate.getTime() <= nowMs &&
    nowMs < renewAtMs &&
    sameServerNames(readSubjectAltNames(certificate.subjectAltName), options.names)
  );
}

/** It can be made again at any time: a broken file is none. */
function readIfWhole(path: string): X509Certificate | undefined {
  const text = readText(path);
  if (text === undefined) return undefined;
  try {
    return new X509Certificate(text);
  } catch {
    return undefined;
  }
}
