import { createPrivateKey, createPublicKey, type X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { makeSelfSigned, publicKeyOf, shortKeyName, validityOf } from './authority-certificate.ts';
import { readCertificate, readKey, readOrMakeKey, writePublic } from './pki-files.ts';
import { KeySigner } from './signer.ts';

const AUTHORITY_DAYS = 3_653;

export const LOCAL_CERTIFICATE_FILE = 'ca.crt';
const LOCAL_KEY_FILE = 'ca.key';

export interface LocalAuthority {
  readonly certificate: X509Certificate;
  readonly signer: KeySigner;
}

/**
 * Opens the authority of its own that a data folder has from the first start on (`ca.key`, `ca.crt`); makes it where there is none and
 * `make` is set: a key on P-256, a certificate for ten years.
 *
 * The key is written before its certificate. A key without its certificate (the power went in between) gets one again, and what the
 * authority has issued stays valid.
 * @throws SelsynError `data.unwritable`, `data.corrupt`
 */
export function openLocalAuthority(options: { readonly dir: string; readonly clock: Clock; readonly make: true }): LocalAuthority;
export function openLocalAuthority(options: {
  readonly dir: string;
  readonly clock: Clock;
  readonly make: boolean;
}): LocalAuthority | undefined;
export function openLocalAuthority({
  dir,
  clock,
  make,
}: {
  dir: string;
  clock: Clock;
  make: boolean;
}): LocalAuthority | undefined {
  const certificateFile = join(dir, LOCAL_CERTIFICATE_FILE);
  const keyFile = join(dir, LOCAL_KEY_FILE);
  const present = readCertificate(certificateFile);
  if (present !== undefined) return { certificate: present, signer: signerOf(readKeyOf(present, keyFile, certificateFile)) };
  if (!make) return undefined;
  const privateKeyPem = readOrMakeKey(keyFile);
  const signer = signerOf(privateKeyPem);
  const commonName = `Selsyn local authority ${shortKeyName(publicKeyOf(privateKeyPem))}`;
  writePublic(certificateFile, makeSelfSigned({ signer, commonName, pathLength: 0, ...validityOf(clock.now(), AUTHORITY_DAYS) }));
  const certificate = readCertificate(certificateFile);
  if (certificate === undefined) throw new SelsynError('data.unwritable', `${certificateFile} was written and is not there`);
  return { certificate, signer };
}

export function signerOf(privateKeyPem: string): KeySigner {
  const privateKey = createPrivateKey(privateKeyPem);
  return new KeySigner({ privateKey, publicKey: createPublicKey(privateKey) });
}

/** The key that a certificate was made for. Another one, or none, cannot be helped here. */
export function readKeyOf(certificate: X509Certificate, keyFile: string, certificateFile: string): string {
  const privateKeyPem = readKey(keyFile);
  if (privateKeyPem !== undefined && certificate.checkPrivateKey(createPrivateKey(privateKeyPem))) return privateKeyPem;
  throw new SelsynError(
    'data.corrupt',
    `${keyFile} is not the key of ${certificateFile}: restore it from a backup, or remove both to have a new authority made, which all clients must then be given`,
  );
}
