import { createPrivateKey, createPublicKey, type X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { CertifiedKey } from './certificate-issuing.ts';
import {
  makePkiFolder,
  newPrivateKeyPem,
  readCertificate,
  readKey,
  readOrMakeKey,
  shortKeyName,
  writeCertificate,
} from './pki-files.ts';
import { readSubjectAltNames, sameServerNames, type ServerName } from './server-names.ts';

export interface LocalAuthorityOptions {
  /** The folder of the keys and certificates: `ca.key`, `ca.crt`, `server.key`, `server.crt`. Made if need be. */
  readonly dir: string;
  readonly clock: Clock;
}

/**
 * Opens the authority of a folder; makes it there the first time: a key on P-256, a certificate for ten years.
 *
 * Keys are written before their certificates. A key without its certificate (the power went in between) gets one again,
 * and what the authority has issued stays valid.
 * @throws SelsynError `data.unwritable`, `data.corrupt`
 */
export async function openLocalAuthority({ dir, clock }: LocalAuthorityOptions): Promise<LocalAuthority> {
  makePkiFolder(dir);
  const certificateFile = join(dir, 'ca.crt');
  const keyFile = join(dir, 'ca.key');
  const present = readCertificate(certificateFile);
  if (present !== undefined) {
    const privateKeyPem = readKeyOf(present, keyFile, certificateFile);
    return new LocalAuthority({ dir, clock, certificate: present, privateKeyPem });
  }
  const privateKeyPem = readOrMakeKey(keyFile);
  const { makeAuthorityCertificate } = await import('./certificate-issuing.ts');
  const pem = await makeAuthorityCertificate({
    privateKeyPem,
    commonName: `Selsyn local authority ${shortKeyName(privateKeyPem)}`,
    ...validity(clock.now(), AUTHORITY_DAYS),
  });
  writeCertificate(certificateFile, pem);
  const made = readCertificate(certificateFile);
  if (made === undefined) throw new SelsynError('data.unwritable', `${certificateFile} was written and is not there`);
  return new LocalAuthority({ dir, clock, certificate: made, privateKeyPem });
}

/** The certificate authority in the data folder: signs this server's certificate, and those of devices. */
export class LocalAuthority {
  /** What clients are to trust. */
  readonly certificateFile: string;
  readonly certificatePem: string;
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #certificate: X509Certificate;
  readonly #privateKeyPem: string;

  constructor(options: {
    readonly dir: string;
    readonly clock: Clock;
    readonly certificate: X509Certificate;
    readonly privateKeyPem: string;
  }) {
    this.#dir = options.dir;
    this.#clock = options.clock;
    this.#certificate = options.certificate;
    this.#privateKeyPem = options.privateKeyPem;
    this.certificateFile = join(options.dir, 'ca.crt');
    this.certificatePem = options.certificate.toString();
  }

  /**
   * This server's certificate and key: those in the folder while they are this authority's, for just these names and not
   * close to their end; else the certificate is made anew and written there.
   * @throws SelsynError `data.unwritable`, `data.corrupt`
   */
  async serverCertificate(names: readonly ServerName[]): Promise<CertifiedKey> {
    const privateKeyPem = readOrMakeKey(join(this.#dir, 'server.key'));
    const file = join(this.#dir, 'server.crt');
    const present = readCertificateIfWhole(file);
    if (present !== undefined && this.#stillServes(present, privateKeyPem, names))
      return { certificatePem: present.toString(), privateKeyPem };
    const certificatePem = await this.#issue({ privateKeyPem, commonName: 'Selsyn', use: 'server', names, days: SERVER_DAYS });
    return { certificatePem: writeCertificate(file, certificatePem), privateKeyPem };
  }

  /** A new key and a certificate that names a device, valid as long as the authority. Nothing of it is kept here. */
  async issueDeviceCertificate(deviceId: string): Promise<CertifiedKey> {
    const privateKeyPem = newPrivateKeyPem();
    const certificatePem = await this.#issue({
      privateKeyPem,
      commonName: deviceId,
      use: 'client',
      names: [],
      days: AUTHORITY_DAYS,
    });
    return { certificatePem, privateKeyPem };
  }

  #stillServes(certificate: X509Certificate, privateKeyPem: string, names: readonly ServerName[]): boolean {
    const nowMs = this.#clock.now();
    const { validFromDate, validToDate } = certificate;
    const renewAtMs = Math.min(validToDate.getTime() - RENEW_BEFORE_MS, this.#certificate.validToDate.getTime());
    return (
      certificate.checkPrivateKey(createPrivateKey(privateKeyPem)) &&
      certificate.verify(this.#certificate.publicKey) &&
      certificate.checkIssued(this.#certificate) &&
      validFromDate.getTime() <= nowMs &&
      nowMs < renewAtMs &&
      sameServerNames(readSubjectAltNames(certificate.subjectAltName), names)
    );
  }

  async #issue(what: {
    readonly privateKeyPem: string;
    readonly commonName: string;
    readonly use: 'server' | 'client';
    readonly names: readonly ServerName[];
    readonly days: number;
  }): Promise<string> {
    const { makeLeafCertificate } = await import('./certificate-issuing.ts');
    const { notBefore, notAfter } = validity(this.#clock.now(), what.days);
    const end = this.#certificate.validToDate;
    return await makeLeafCertificate({
      authority: { certificatePem: this.certificatePem, privateKeyPem: this.#privateKeyPem },
      publicKey: createPublicKey(what.privateKeyPem),
      commonName: what.commonName,
      use: what.use,
      names: what.names,
      notBefore,
      notAfter: notAfter > end ? end : notAfter,
    });
  }
}

const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 3_653;
/** Apple's systems take no server certificate that is valid for longer. */
const SERVER_DAYS = 825;
const RENEW_BEFORE_MS = 60 * DAY_MS;
/** Clocks of devices are often a little behind. */
const BEFORE_NOW_MS = DAY_MS;

/** So many days in all, in whole seconds. */
function validity(nowMs: number, days: number): { readonly notBefore: Date; readonly notAfter: Date } {
  const fromMs = Math.floor((nowMs - BEFORE_NOW_MS) / 1_000) * 1_000;
  return { notBefore: new Date(fromMs), notAfter: new Date(fromMs + days * DAY_MS - 1_000) };
}

/** The key that a certificate was made for. Another one, or none, cannot be helped here. */
function readKeyOf(certificate: X509Certificate, keyFile: string, certificateFile: string): string {
  const privateKeyPem = readKey(keyFile);
  if (privateKeyPem !== undefined && certificate.checkPrivateKey(createPrivateKey(privateKeyPem))) return privateKeyPem;
  throw new SelsynError(
    'data.corrupt',
    `${keyFile} is not the key of ${certificateFile}: restore it from a backup, or remove both to have a new authority made, which all clients must then be given`,
  );
}

/** The server's certificate can be made again at any time: a broken file is none. */
function readCertificateIfWhole(path: string): X509Certificate | undefined {
  try {
    return readCertificate(path);
  } catch (error) {
    if (error instanceof SelsynError && error.code === 'data.corrupt') return undefined;
    throw error;
  }
}
