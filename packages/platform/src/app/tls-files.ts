import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { SelsynError, systemCode } from '../kernel/errors.ts';
import type { Config } from './config-schema.ts';

type TlsSettings = Config['tls'];

/** A certificate and key that the settings name, PEM. */
export interface TlsFiles {
  readonly certificate: string;
  readonly privateKey: string;
  readonly endsMs: number;
}

/**
 * The server's own certificate and key; undefined where the settings name none.
 * @throws SelsynError `config.invalid` that names the file and what is wrong with it
 */
export function readServerFiles({ certFile, keyFile }: TlsSettings): TlsFiles | undefined {
  if (certFile === '' && keyFile === '') return undefined;
  if (certFile === '' || keyFile === '') throw invalid('tls.certFile and tls.keyFile belong together: set both, or neither');
  const certificate = readSetting('tls.certFile', certFile);
  const privateKey = readSetting('tls.keyFile', keyFile);
  const [first] = certificatesOf('tls.certFile', certFile, certificate);
  const key = keyOf(keyFile, privateKey);
  if (first === undefined || !first.checkPrivateKey(key))
    throw invalid(`tls.keyFile ${keyFile} is not the key of the first certificate in tls.certFile ${certFile}`);
  try {
    createSecureContext({ cert: certificate, key: privateKey, minVersion: 'TLSv1.2' });
  } catch (error) {
    throw invalid(`tls.certFile ${certFile} cannot be used: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  return { certificate, privateKey, endsMs: first.validToDate.getTime() };
}

/** The authorities whose client certificates are taken, PEM each. @throws SelsynError `config.invalid` */
export function readClientAuthorities({ clientCaFile }: TlsSettings): string[] {
  if (clientCaFile === '') return [];
  const text = readSetting('tls.clientCaFile', clientCaFile);
  return certificatesOf('tls.clientCaFile', clientCaFile, text).map(String);
}

function readSetting(setting: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw invalid(`${setting} ${path} cannot be read (${systemCode(error) ?? String(error)})`, error);
  }
}

function certificatesOf(setting: string, path: string, text: string): X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw invalid(`${setting} ${path} holds no certificate in PEM form`);
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (error) {
    throw invalid(`${setting} ${path} holds a broken certificate`, error);
  }
}

function keyOf(path: string, text: string): ReturnType<typeof createPrivateKey> {
  try {
    return createPrivateKey(text);
  } catch (error) {
    const locked = systemCode(error) === 'ERR_MISSING_PASSPHRASE' || text.includes('ENCRYPTED');
    const why = locked
      ? 'is locked by a passphrase: store it without one, readable for this user alone'
      : 'holds no private key in PEM form';
    throw invalid(`tls.keyFile ${path} ${why}`, error);
  }
}

function invalid(message: string, cause?: unknown): SelsynError {
  return new SelsynError('config.invalid', message, { cause });
}
