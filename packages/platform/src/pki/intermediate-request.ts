import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { SelsynError } from '../kernel/errors.ts';
import { Token } from '../secrets/pkcs11/token.ts';
import { pinOf } from './authorities.ts';
import { publicKeyOf, shortKeyName } from './authority-certificate.ts';
import { commonNameOnly } from './certificate-template.ts';
import { bitString, contextTag, der, sequence, smallInteger } from './der-writer.ts';
import { signerOf } from './local-authority.ts';
import { pemOf } from './pem.ts';
import { makePkiFolder, readText, writePublic, writeSecret } from './pki-files.ts';
import { type KeyPlace, KEY_PLACE, readManifest } from './pki-manifest.ts';
import { Pkcs11Signer, tokenPublicKey } from './pkcs11-signer.ts';
import type { Signer } from './signer.ts';

/** A token for the key of an intermediate. */
export interface TokenPlace {
  readonly module: string;
  readonly token: string;
  /** Of the key; one that is there is used, else it is made under it. Undefined: a new key. */
  readonly label?: string | undefined;
  readonly id?: string | undefined;
  readonly pinFile?: string | undefined;
}

/** Where the key is that waits for its certificate. */
export const PENDING_FILE = 'pending-key.json';

/**
 * Makes the key of a new intermediate, in the data folder or in a token, and a request (PKCS#10) for its certificate. Where the key is
 * waits in the folder until the certificate is installed.
 * @throws SelsynError `data.unwritable`, `signer.unavailable`, `request.invalid`
 */
export function requestIntermediate(options: {
  readonly dir: string;
  readonly token: TokenPlace | undefined;
  readonly tokenPin: string | undefined;
}): { readonly csrPem: string; readonly publicKey: Buffer; readonly key: KeyPlace } {
  const { dir, token } = options;
  makePkiFolder(dir);
  const { signer, key } = token === undefined ? keyInFolder(dir) : keyInToken(token, options.tokenPin);
  writePublic(join(dir, PENDING_FILE), `${JSON.stringify(key, null, 2)}\n`);
  return { csrPem: csrOf(signer), publicKey: signer.publicKey, key };
}

/** Where the key is for which a certificate has been asked last. @throws SelsynError `request.invalid` */
export function readPendingKey(dir: string): KeyPlace {
  const text = readText(join(dir, PENDING_FILE));
  if (text === undefined)
    throw new SelsynError('request.invalid', `no certificate has been asked for in ${dir}: run "selsyn pki request" first`);
  try {
    return KEY_PLACE.parse(JSON.parse(text));
  } catch (error) {
    throw new SelsynError('data.corrupt', `${join(dir, PENDING_FILE)} cannot be understood`, { cause: error });
  }
}

/** The token that keeps the key of the issuing authority now; undefined for a file. */
export function tokenInUse(dir: string): TokenPlace | undefined {
  const manifest = readManifest(dir);
  const key = manifest?.intermediates.find(({ certificate }) => certificate === manifest.issuing)?.key;
  if (key === undefined || 'file' in key) return undefined;
  return { module: key.module, token: key.token, pinFile: key.pinFile };
}

/** The public half of a key in its place. @throws SelsynError `data.corrupt`, `signer.unavailable` */
export function publicKeyIn(dir: string, place: KeyPlace, tokenPin: string | undefined): Buffer {
  if ('file' in place) {
    const pem = readText(join(dir, place.file));
    if (pem === undefined) throw new SelsynError('data.corrupt', `${join(dir, place.file)} is gone: ask for a new certificate`);
    return publicKeyOf(pem);
  }
  const token = new Token({ module: place.module, token: place.token, pin: () => pinOf(place.pinFile, tokenPin) });
  try {
    return tokenPublicKey(token, place, { make: false }).publicKey;
  } finally {
    token.close();
  }
}

function keyInFolder(dir: string): { readonly signer: Signer; readonly key: KeyPlace } {
  const pem = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const file = `intermediate-${shortKeyName(publicKeyOf(pem))}.key`;
  writeSecret(join(dir, file), pem);
  return { signer: signerOf(pem), key: { file } };
}

function keyInToken(place: TokenPlace, tokenPin: string | undefined): { readonly signer: Signer; readonly key: KeyPlace } {
  const { id, pinFile } = place;
  const label = place.label ?? (id === undefined ? `selsyn-issuing-${randomBytes(4).toString('hex')}` : undefined);
  // From another folder it would not be found.
  const pinPath = pinFile === undefined ? undefined : resolve(pinFile);
  const token = new Token({ module: place.module, token: place.token, pin: () => pinOf(pinPath, tokenPin) });
  const { publicKey } = tokenPublicKey(token, { label, id }, { make: true });
  const signer = new Pkcs11Signer({ token, name: { label, id }, publicKey });
  return {
    signer,
    key: {
      module: place.module,
      token: place.token,
      ...(label === undefined ? {} : { label }),
      ...(id === undefined ? {} : { id }),
      ...(pinPath === undefined ? {} : { pinFile: pinPath }),
    },
  };
}

/** A PKCS#10 request (RFC 2986). The root gives its own name: the one in here says only what the request is. */
function csrOf(signer: Signer): string {
  const info = sequence(smallInteger(0), commonNameOnly('Selsyn intermediate'), signer.publicKey, der(contextTag(0)));
  return pemOf('CERTIFICATE REQUEST', sequence(info, signer.algorithm, bitString(signer.sign(info))));
}
