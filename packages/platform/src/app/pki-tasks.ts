import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { systemClock } from '../kernel/clock.ts';
import { SelsynError, systemCode } from '../kernel/errors.ts';
import { type InstalledIntermediate, installIntermediate } from '../pki/intermediate-install.ts';
import { readPendingKey, requestIntermediate, type TokenPlace, tokenInUse } from '../pki/intermediate-request.ts';
import { LocalSigning } from '../pki/local-signing.ts';
import { initPki, renewIntermediate } from '../pki/pki-setup.ts';
import { openRoot, type RootAuthority, signIntermediate } from '../pki/root-authority.ts';
import type { SigningAuthority } from '../pki/signing.ts';

/** What `selsyn pki` does on the files of this machine, with or without a server that runs on them. */

export interface RootChoice {
  readonly root: string;
  readonly passphrase: string | undefined;
  readonly name: string | undefined;
  readonly days: number;
}

export interface IntermediateChoice {
  /** The data folder. */
  readonly data: string;
  readonly token: TokenPlace | undefined;
  /** Where the token has no file of its PIN. */
  readonly tokenPin: string | undefined;
}

export type SetUp = InstalledIntermediate & { readonly root: RootAuthority };

/** A root in a folder, and an intermediate in the data folder that issues from now on. @throws SelsynError see pki/pki-setup.ts */
export function setUpPki(options: RootChoice & IntermediateChoice & { readonly renew: boolean }): SetUp {
  const { data, root, passphrase, name, days, token, tokenPin } = options;
  const all = { dir: pkiDirOf(data), rootDir: root, dataDir: data, passphrase, name, days, token, tokenPin, clock: systemClock };
  return options.renew ? renewIntermediate(all) : initPki(all);
}

/** A new key in the data folder or a token; the request for its certificate is written to `out`. @throws SelsynError */
export function writeIntermediateRequest({ data, token, tokenPin, out }: IntermediateChoice & { readonly out: string }): void {
  const dir = pkiDirOf(data);
  const { csrPem } = requestIntermediate({ dir, token: token ?? tokenInUse(dir), tokenPin });
  write(out, csrPem);
}

/** On the machine of the root: signs a request; the certificate and the root's are written to `out`. @throws SelsynError */
export function signIntermediateRequest(
  options: RootChoice & { readonly request: string; readonly out: string; readonly make: boolean },
): RootAuthority {
  const { passphrase, name, days, make } = options;
  const csrPem = read(options.request);
  const root = openRoot({ rootDir: options.root, dataDir: undefined, passphrase, name, make, clock: systemClock });
  write(options.out, signIntermediate(root, { csrPem, name, days, clock: systemClock }).bundlePem);
  return root;
}

/** Takes up the certificate that the root has signed. @throws SelsynError */
export function installSigned(options: {
  readonly data: string;
  readonly file: string;
  readonly tokenPin: string | undefined;
}): InstalledIntermediate {
  const dir = pkiDirOf(options.data);
  const key = readPendingKey(dir);
  return installIntermediate({ dir, bundlePem: read(options.file), key, tokenPin: options.tokenPin, clock: systemClock });
}

/** The authorities of a data folder, the one that issues first. @throws SelsynError `request.invalid` where there is none */
export async function listAuthorities(data: string): Promise<readonly SigningAuthority[]> {
  const dir = pkiDirOf(data);
  if (!hasAuthority(dir)) throw noAuthority(dir);
  return await LocalSigning.open({ dir, clock: systemClock }).authorities();
}

/** Whether a folder has an authority, which opening it would otherwise make. */
export function hasAuthority(dir: string): boolean {
  return existsSync(join(dir, 'ca.crt')) || existsSync(join(dir, 'authorities.json'));
}

export function noAuthority(dir: string): SelsynError {
  return new SelsynError(
    'request.invalid',
    `there is no authority in ${dir}: it is made when the server first starts, or by "selsyn pki init"`,
  );
}

function pkiDirOf(data: string): string {
  return join(resolve(data), 'pki');
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new SelsynError('request.invalid', `${path} cannot be read (${systemCode(error) ?? String(error)})`, { cause: error });
  }
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flush: true });
  } catch (error) {
    throw new SelsynError('request.invalid', `${path} cannot be written (${systemCode(error) ?? String(error)})`, {
      cause: error,
    });
  }
}
