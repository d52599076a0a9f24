import { createPublicKey } from 'node:crypto';
import {
  authorityRights,
  commonNameOnly,
  type Issuer,
  makeCertificate,
  newSerial,
  type Validity,
} from './certificate-template.ts';
import { pemOf } from './pem.ts';
import { keyHashOf, keyIdOf, readPublicKey } from './public-key.ts';
import type { Signer } from './signer.ts';

const DAY_MS = 86_400_000;
/** Clocks of devices are often a little behind. */
const BEFORE_NOW_MS = DAY_MS;

/** So many days in all, in whole seconds, from a day ago on. */
export function validityOf(nowMs: number, days: number): Validity {
  const notBeforeMs = Math.floor((nowMs - BEFORE_NOW_MS) / 1_000) * 1_000;
  return { notBeforeMs, notAfterMs: notBeforeMs + days * DAY_MS - 1_000 };
}

/** The certificate of an authority that signs itself, PEM (RFC 5280, section 4.2.1.9 for the path length). */
export function makeSelfSigned(
  options: Validity & { readonly signer: Signer; readonly commonName: string; readonly pathLength: number },
): string {
  const { signer } = options;
  const issuer = { signer, name: commonNameOnly(options.commonName), keyId: keyIdOf(readPublicKey(signer.publicKey).bits) };
  return makeAuthority(issuer, signer.publicKey, options);
}

/** The certificate of an authority below another one, PEM. It ends with its issuer at the latest. */
export function makeIntermediate(
  options: Validity & {
    readonly issuer: Issuer;
    readonly issuerEndsMs: number;
    readonly publicKey: Buffer;
    readonly commonName: string;
    readonly pathLength: number;
  },
): string {
  const notAfterMs = Math.min(options.notAfterMs, options.issuerEndsMs);
  return makeAuthority(options.issuer, options.publicKey, { ...options, notAfterMs });
}

function makeAuthority(
  issuer: Issuer,
  publicKey: Buffer,
  options: Validity & { readonly commonName: string; readonly pathLength: number },
): string {
  const der = makeCertificate(issuer, {
    subject: commonNameOnly(options.commonName),
    spki: publicKey,
    keyBits: readPublicKey(publicKey).bits,
    extensions: authorityRights(options.pathLength),
    serial: newSerial(),
    notBeforeMs: options.notBeforeMs,
    notAfterMs: options.notAfterMs,
  });
  return pemOf('CERTIFICATE', der);
}

/** A few digits that tell one key from another, for people. */
export function shortKeyName(publicKey: Uint8Array): string {
  return Buffer.from(keyHashOf(publicKey), 'base64url').toString('hex').slice(0, 8);
}

/** SPKI DER of a private key, PEM. */
export function publicKeyOf(privateKeyPem: string): Buffer {
  return createPublicKey(privateKeyPem).export({ type: 'spki', format: 'der' });
}
