import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError, systemCode } from '../kernel/errors.ts';
import { makeIntermediate, makeSelfSigned, shortKeyName, validityOf } from './authority-certificate.ts';
import { commonNameOf, readCertificateParts, subjectKeyIdOf } from './certificate-reading.ts';
import type { Issuer } from './certificate-template.ts';
import { checkCsr } from './csr.ts';
import { encryptedKeyPem } from './encrypted-key.ts';
import { makePkiFolder, readCertificate, readText, writePublic, writeSecret } from './pki-files.ts';
import { KeySigner } from './signer.ts';

const ROOT_DAYS = 7_305;
export const INTERMEDIATE_DAYS = 1_826;

/** An authority whose key is kept away from the server and only signs intermediates. */
export interface RootAuthority {
  readonly dir: string;
  readonly certificatePem: string;
  readonly issuer: Issuer;
  readonly notAfterMs: number;
  /** Whether it was made now. */
  readonly made: boolean;
}

export interface RootOptions {
  /** Its folder: `root.key`, `root.crt`, and what it has signed. */
  readonly rootDir: string;
  /** Of the server; the root must not be in it. Undefined where there is no server on this machine. */
  readonly dataDir: string | undefined;
  /** Undefined: the key is stored without one. */
  readonly passphrase: string | undefined;
  readonly clock: Clock;
}

/**
 * Opens the root of a folder; with `make` it is made where there is none: a key on P-256, a certificate for twenty years that allows one
 * level of authorities below it.
 * @throws SelsynError `request.invalid` (folder, passphrase), `data.corrupt`, `data.unwritable`
 */
export function openRoot(options: RootOptions & { readonly make: boolean; readonly name?: string | undefined }): RootAuthority {
  const dir = resolve(options.rootDir);
  if (options.dataDir !== undefined && isInside(dir, options.dataDir))
    throw invalid(`the root must not be kept on the server: ${dir} is in the data folder ${resolve(options.dataDir)}`);
  const certificateFile = join(dir, 'root.crt');
  const certificate = readCertificate(certificateFile);
  if (certificate === undefined) {
    if (!options.make) throw invalid(`there is no root in ${dir}`);
    return makeRoot(dir, options);
  }
  const key = readRootKey(join(dir, 'root.key'), options.passphrase);
  if (!certificate.checkPrivateKey(key)) throw new SelsynError('data.corrupt', `root.key is not the key of ${certificateFile}`);
  return rootOf({ dir, certificate, key, made: false });
}

/** A certificate that a root has given to an intermediate, and the root's own; PEM, in this order. */
export interface SignedIntermediate {
  readonly certificatePem: string;
  readonly bundlePem: string;
}

/** Signs the request of an intermediate, which may sign no other authority. @throws SelsynError `csr.invalid`, `csr.weak-key` */
export function signIntermediate(
  root: RootAuthority,
  options: { readonly csrPem: string; readonly name?: string | undefined; readonly days: number; readonly clock: Clock },
): SignedIntermediate {
  const publicKey = Buffer.from(checkCsr(options.csrPem).publicKey);
  const key = shortKeyName(publicKey);
  const certificatePem = makeIntermediate({
    issuer: root.issuer,
    issuerEndsMs: root.notAfterMs,
    publicKey,
    // With digits of the key: two authorities of one name could be taken for each other.
    commonName: `${options.name ?? nameOfRoot(root)} issuing authority ${key}`,
    pathLength: 0,
    ...validityOf(options.clock.now(), options.days),
  });
  const { serialNumber } = new X509Certificate(certificatePem);
  // An authority should know what it has signed.
  writePublic(join(root.dir, `intermediate-${key}-${serialNumber.slice(0, 8).toLowerCase()}.crt`), certificatePem);
  return { certificatePem, bundlePem: `${certificatePem}${root.certificatePem}` };
}

/** What `--name` was when the root was made. */
function nameOfRoot({ issuer }: RootAuthority): string {
  return /^(.+) root [0-9a-f]{8}$/.exec(commonNameOf(issuer.name) ?? '')?.[1] ?? 'Selsyn';
}

function makeRoot(dir: string, options: RootOptions & { readonly name?: string | undefined }): RootAuthority {
  const keyFile = join(dir, 'root.key');
  if (existsSync(keyFile)) throw invalid(`there is a root.key in ${dir} but no root.crt: restore it, or choose another folder`);
  makePkiFolder(dir);
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signer = new KeySigner(keys);
  const { passphrase } = options;
  const keyPem =
    passphrase === undefined
      ? keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
      : encryptedKeyPem(keys.privateKey, passphrase);
  writeSecret(keyFile, keyPem);
  const commonName = `${options.name ?? 'Selsyn'} root ${shortKeyName(signer.publicKey)}`;
  const pem = makeSelfSigned({ signer, commonName, pathLength: 1, ...validityOf(options.clock.now(), ROOT_DAYS) });
  writePublic(join(dir, 'root.crt'), pem);
  return rootOf({ dir, certificate: new X509Certificate(pem), key: keys.privateKey, made: true });
}

function rootOf(options: { dir: string; certificate: X509Certificate; key: KeyObject; made: boolean }): RootAuthority {
  const { certificate, key } = options;
  const parts = readCertificateParts(certificate.raw);
  const keyId = subjectKeyIdOf(parts);
  if (keyId === undefined) throw new SelsynError('data.corrupt', `root.crt in ${options.dir} has no subject key identifier`);
  return {
    dir: options.dir,
    certificatePem: certificate.toString(),
    issuer: { signer: new KeySigner({ privateKey: key, publicKey: createPublicKey(key) }), name: parts.subject, keyId },
    notAfterMs: parts.notAfterMs,
    made: options.made,
  };
}

function readRootKey(path: string, passphrase: string | undefined): KeyObject {
  const text = readText(path);
  if (text === undefined) throw invalid(`there is no ${path}`);
  const locked = text.includes('ENCRYPTED');
  if (locked && passphrase === undefined) throw invalid(`${path} is locked by a passphrase: say --passphrase`);
  try {
    return createPrivateKey({ key: text, ...(locked ? { passphrase: passphrase ?? '' } : {}) });
  } catch (error) {
    if (locked) throw new SelsynError('request.invalid', `the passphrase does not open ${path}`, { cause: error });
    throw new SelsynError('data.corrupt', `${path} holds no private key: restore it from a backup`, { cause: error });
  }
}

/** Whether a folder is another one or in it, links followed; neither need be there yet. */
function isInside(folder: string, other: string): boolean {
  const way = relative(realFolder(other), realFolder(folder));
  return way !== '..' && !way.startsWith(`..${sep}`);
}

function realFolder(path: string): string {
  const whole = resolve(path);
  try {
    return realpathSync(whole);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' || dirname(whole) === whole) throw error;
    return join(realFolder(dirname(whole)), whole.slice(dirname(whole).length).replace(/^[/\\]/, ''));
  }
}

function invalid(message: string): SelsynError {
  return new SelsynError('request.invalid', message);
}
