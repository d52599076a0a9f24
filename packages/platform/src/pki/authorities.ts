import type { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { Token } from '../secrets/pkcs11/token.ts';
import { certificateIdOf, readCertificateParts, subjectKeyIdOf } from './certificate-reading.ts';
import type { Issuer } from './certificate-template.ts';
import { openLocalAuthority, readKeyOf, signerOf } from './local-authority.ts';
import { makePkiFolder, readCertificate, readKey, readText } from './pki-files.ts';
import { type KeyPlace, type PkiManifest, readManifest } from './pki-manifest.ts';
import { Pkcs11Signer } from './pkcs11-signer.ts';
import { keyIdOf, readPublicKey } from './public-key.ts';
import type { Signer } from './signer.ts';
import type { SigningAuthority } from './signing.ts';

export interface Authority {
  readonly facts: SigningAuthority;
  /** Undefined where its key is not here any more. */
  readonly issuer: Issuer | undefined;
}

export interface AuthoritiesOptions {
  /** The folder of keys and certificates; made if need be. */
  readonly dir: string;
  readonly clock: Clock;
  /** PIN of the token, for keys whose place names no file of it. */
  readonly tokenPin?: string | undefined;
}

/** The authorities of a data folder, the one that issues first. At least one. */
export type Authorities = readonly [Authority, ...Authority[]];

/**
 * Opens the authorities of a folder. Where there is none, the local one is made. Keys in tokens are not touched yet.
 * @throws SelsynError `data.unwritable`, `data.corrupt`
 */
export function openAuthorities(options: AuthoritiesOptions): Authorities {
  const { dir, clock } = options;
  makePkiFolder(dir);
  const manifest = readManifest(dir);
  if (manifest === undefined) return [localOf(openLocalAuthority({ dir, clock, make: true }), true)];
  const local = openLocalAuthority({ dir, clock, make: false });
  const intermediates = manifest.intermediates.map((entry) => intermediateOf(options, manifest, entry));
  const [issuing] = intermediates.filter(({ facts }) => facts.issuing);
  if (issuing === undefined) throw new SelsynError('data.corrupt', `${dir} names no authority that issues`);
  const others = intermediates.filter((authority) => authority !== issuing);
  return [issuing, ...others, ...(local === undefined ? [] : [localOf(local, false)])];
}

function localOf({ certificate, signer }: { certificate: X509Certificate; signer: Signer }, issuing: boolean): Authority {
  const pem = certificate.toString();
  return authorityOf({ certificate, signer, issuing, kind: 'local', chainPem: '', rootPem: pem });
}

function intermediateOf(
  { dir, tokenPin }: AuthoritiesOptions,
  manifest: PkiManifest,
  entry: PkiManifest['intermediates'][number],
): Authority {
  const certificate = present(join(dir, entry.certificate));
  const root = present(join(dir, entry.root));
  const issuing = entry.certificate === manifest.issuing;
  const signer = signerFor({ dir, tokenPin, place: entry.key, certificate, entry, issuing });
  return authorityOf({
    certificate,
    signer,
    issuing,
    kind: 'intermediate',
    chainPem: certificate.toString(),
    rootPem: root.toString(),
  });
}

function signerFor(options: {
  readonly dir: string;
  readonly tokenPin: string | undefined;
  readonly place: KeyPlace;
  readonly certificate: X509Certificate;
  readonly entry: PkiManifest['intermediates'][number];
  readonly issuing: boolean;
}): Signer | undefined {
  const { dir, place, certificate } = options;
  if ('file' in place) {
    const file = join(dir, place.file);
    // The key of one that no longer issues may be destroyed; the certificate is still needed to check what it has issued.
    if (!options.issuing && readKey(file) === undefined) return undefined;
    return signerOf(readKeyOf(certificate, file, join(dir, options.entry.certificate)));
  }
  return new Pkcs11Signer({
    token: new Token({ module: place.module, token: place.token, pin: () => pinOf(place.pinFile, options.tokenPin) }),
    name: { label: place.label, id: place.id },
    publicKey: certificate.publicKey.export({ type: 'spki', format: 'der' }),
  });
}

/** @throws SelsynError `signer.unavailable` */
export function pinOf(pinFile: string | undefined, tokenPin: string | undefined): string {
  const pin = pinFile === undefined ? tokenPin : readText(pinFile)?.trim();
  if (pin === undefined || pin === '')
    throw new SelsynError(
      'signer.unavailable',
      pinFile === undefined
        ? 'the token needs a PIN: set pki.tokenPin, or name a file of it with --pin-file'
        : `there is no PIN in ${pinFile}`,
      { retryable: true },
    );
  return pin;
}

function authorityOf(options: {
  readonly certificate: X509Certificate;
  readonly signer: Signer | undefined;
  readonly issuing: boolean;
  readonly kind: SigningAuthority['kind'];
  readonly chainPem: string;
  readonly rootPem: string;
}): Authority {
  const { certificate, signer } = options;
  const parts = readCertificateParts(certificate.raw);
  const keyId = subjectKeyIdOf(parts) ?? keyIdOf(readPublicKey(parts.spki).bits);
  return {
    facts: {
      id: certificateIdOf(certificate.raw),
      issuing: options.issuing,
      kind: options.kind,
      canSign: signer !== undefined,
      subject: certificate.subject,
      notBeforeMs: parts.notBeforeMs,
      notAfterMs: parts.notAfterMs,
      certificatePem: certificate.toString(),
      chainPem: options.chainPem,
      rootPem: options.rootPem,
    },
    issuer: signer === undefined ? undefined : { signer, name: parts.subject, keyId },
  };
}

function present(path: string): X509Certificate {
  const certificate = readCertificate(path);
  if (certificate === undefined) throw new SelsynError('data.corrupt', `${path} is gone: restore it from a backup`);
  return certificate;
}
