import { SCRAM_KEY_BYTES } from './scram-credential.ts';

/**
 * The messages of SCRAM (RFC 5802, section 7), read strictly:
 *
 * ```
 *   client-first   gs2-header [m=..,] n=saslname , r=c-nonce [, ext..]        gs2-header: n,, or y,,
 *   server-first   r=c-nonce s-nonce , s=base64 , i=count
 *   client-final   c=base64(gs2-header) , r=nonce [, ext..] , p=base64        without-proof: all before ,p=
 *   server-final   v=base64
 * ```
 */
export interface ClientFirst {
  /** As it came: `n,,` or `y,,`. */
  readonly gs2Header: string;
  /** What follows it. */
  readonly bare: string;
  readonly username: string;
  readonly nonce: string;
}

export interface ClientFinal {
  /** The base64 text of `c=`. */
  readonly channelBinding: string;
  readonly nonce: string;
  readonly proof: Uint8Array;
  readonly withoutProof: string;
}

/** What is wrong with a message, for the operator. */
export interface ScramFault {
  readonly fault: string;
}

/** Far longer than any that a client has reason to send. */
const MAX_MESSAGE_BYTES = 2_048;

export function parseClientFirst(message: Uint8Array): ClientFirst | ScramFault {
  const text = decode(message);
  if (typeof text !== 'string') return text;
  // `y`: the client could bind to the channel and thinks that the server cannot, which is so.
  const header = /^([^,]*),([^,]*),/.exec(text);
  if (header === null) return { fault: 'there is no GS2 header' };
  const [gs2Header, flag = '', authzid] = header;
  if (flag.startsWith('p=')) return { fault: 'channel binding is not supported' };
  if (flag !== 'n' && flag !== 'y') return { fault: 'the GS2 header begins with neither n nor y' };
  if (authzid !== '') return { fault: 'an authorization identity is not supported' };
  const bare = text.slice(gs2Header.length);
  const [name = '', nonce = '', ...extensions] = bare.split(',');
  if (name.startsWith('m=')) return { fault: 'a mandatory extension is not supported' };
  const username = name.startsWith('n=') ? readSaslName(name.slice(2)) : undefined;
  if (username === undefined) return { fault: 'the first attribute is no user name' };
  if (!NONCE.test(nonce)) return { fault: 'the second attribute is no nonce' };
  if (!extensions.every(isAttribute)) return { fault: 'what follows the nonce is no attribute' };
  return { gs2Header, bare, username, nonce: nonce.slice(2) };
}

export function parseClientFinal(message: Uint8Array): ClientFinal | ScramFault {
  const text = decode(message);
  if (typeof text !== 'string') return text;
  const [binding = '', nonce = '', ...rest] = text.split(',');
  const proofText = rest.pop() ?? '';
  if (!binding.startsWith('c=')) return { fault: 'the first attribute is no channel binding' };
  if (!NONCE.test(nonce)) return { fault: 'the second attribute is no nonce' };
  if (!rest.every(isAttribute)) return { fault: 'what follows the nonce is no attribute' };
  const proof = proofText.startsWith('p=') ? readKey(proofText.slice(2)) : undefined;
  if (proof === undefined) return { fault: 'the last attribute is no proof' };
  const withoutProof = text.slice(0, -(proofText.length + 1));
  return { channelBinding: binding.slice(2), nonce: nonce.slice(2), proof, withoutProof };
}

export function serverFirst(nonce: string, salt: Uint8Array, iterations: number): string {
  return `r=${nonce},s=${Buffer.from(salt).toString('base64')},i=${iterations}`;
}

export function serverFinal(signature: Uint8Array): string {
  return `v=${Buffer.from(signature).toString('base64')}`;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const NONCE = /^r=[\x21-\x2b\x2d-\x7e]+$/;
const ATTRIBUTE = /^[A-Za-z]=[^\0]+$/;

function isAttribute(text: string): boolean {
  return ATTRIBUTE.test(text);
}

function decode(message: Uint8Array): string | ScramFault {
  if (message.length > MAX_MESSAGE_BYTES) return { fault: 'the message is too long' };
  try {
    return UTF8.decode(message);
  } catch {
    return { fault: 'the message is not UTF-8' };
  }
}

/** `=2C` stands for a comma and `=3D` for an equals sign; no other `=` may be there, nor U+0000. */
function readSaslName(text: string): string | undefined {
  if (text === '' || !/^(?:[^=\0]|=2C|=3D)+$/.test(text)) return undefined;
  return text.replaceAll('=2C', ',').replaceAll('=3D', '=');
}

/** Only the one base64 text that stands for these bytes. */
function readKey(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === SCRAM_KEY_BYTES && bytes.toString('base64') === text ? bytes : undefined;
}
