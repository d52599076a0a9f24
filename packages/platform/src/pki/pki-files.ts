import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { SelsynError, systemCode } from '../kernel/errors.ts';

const SECRET_MODE = 0o600;
const PUBLIC_MODE = 0o644;

/** @throws SelsynError `data.unwritable` */
export function makePkiFolder(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new SelsynError('data.unwritable', `${dir} cannot be made (${systemCode(error) ?? String(error)})`, { cause: error });
  }
}

/** The private key in a file, PEM; a new one on the curve P-256, written for its owner alone, where there is none. */
export function readOrMakeKey(path: string): string {
  return readKey(path) ?? writeDurably(path, newPrivateKeyPem(), SECRET_MODE);
}

/** The private key in a file, undefined where there is none. @throws SelsynError `data.unwritable`, `data.corrupt` */
export function readKey(path: string): string | undefined {
  const text = readText(path);
  if (text === undefined) return undefined;
  try {
    createPrivateKey(text);
    return text;
  } catch (error) {
    throw new SelsynError('data.corrupt', `${path} holds no private key: restore it from a backup`, { cause: error });
  }
}

export function newPrivateKeyPem(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** The certificate in a file, undefined where there is none. @throws SelsynError `data.unwritable`, `data.corrupt` */
export function readCertificate(path: string): X509Certificate | undefined {
  const text = readText(path);
  if (text === undefined) return undefined;
  try {
    return new X509Certificate(text);
  } catch (error) {
    throw new SelsynError('data.corrupt', `${path} holds no certificate: restore it from a backup`, { cause: error });
  }
}

/** For everybody to read. @throws SelsynError `data.unwritable` */
export function writePublic(path: string, text: string): string {
  return writeDurably(path, text, PUBLIC_MODE);
}

/** For its owner alone. @throws SelsynError `data.unwritable` */
export function writeSecret(path: string, text: string): string {
  return writeDurably(path, text, SECRET_MODE);
}

/** The text of a file, undefined where there is none. @throws SelsynError `data.unwritable` */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw new SelsynError('data.unwritable', `${path} cannot be read (${systemCode(error) ?? String(error)})`, { cause: error });
  }
}

/** All of it or nothing is there afterwards, whatever ends the machine. */
function writeDurably(path: string, text: string, mode: number): string {
  const beside = `${path}.new`;
  try {
    const file = openSync(beside, 'w', mode);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(beside, path);
    const folder = openSync(dirname(path), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch (error) {
    throw new SelsynError('data.unwritable', `${path} cannot be written (${systemCode(error) ?? String(error)})`, {
      cause: error,
    });
  }
  return text;
}
