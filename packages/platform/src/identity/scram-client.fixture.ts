import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';

/** A SCRAM-SHA-256 client for tests, written from RFC 5802 on its own: it shares nothing with the server's side. */
export class ScramClient {
  readonly #username: string;
  readonly #password: string;
  readonly #nonce: string;
  #expectedFinal = '';

  constructor(username: string, password: string, nonce = 'rOprNGfwEbeRWgbNEkqO') {
    this.#username = username;
    this.#password = password;
    this.#nonce = nonce;
  }

  first(): Uint8Array {
    return Buffer.from(`n,,${this.#bare()}`);
  }

  /** @param change of what the client says and signs: it knows the password, but does not keep to the protocol. */
  final(challenge: Uint8Array, change: (withoutProof: string) => string = (text) => text): Uint8Array {
    const text = Buffer.from(challenge).toString();
    const [, nonce = '', salt = '', iterations = ''] = /^r=([^,]*),s=([^,]*),i=([0-9]+)$/.exec(text) ?? [];
    if (!nonce.startsWith(this.#nonce) || nonce === this.#nonce) throw new Error(`not a challenge: ${text}`);
    const salted = pbkdf2Sync(this.#password, Buffer.from(salt, 'base64'), Number(iterations), 32, 'sha256');
    const withoutProof = change(`c=biws,r=${nonce}`);
    const authMessage = `${this.#bare()},${text},${withoutProof}`;
    const clientKey = hmac(salted, 'Client Key');
    const signature = hmac(createHash('sha256').update(clientKey).digest(), authMessage);
    const proof = clientKey.map((byte, i) => byte ^ signature[i]!);
    this.#expectedFinal = `v=${hmac(hmac(salted, 'Server Key'), authMessage).toString('base64')}`;
    return Buffer.from(`${withoutProof},p=${Buffer.from(proof).toString('base64')}`);
  }

  /** Whether the server has shown that it knows the password too. */
  accepts(serverFinal: Uint8Array | undefined): boolean {
    return serverFinal !== undefined && Buffer.from(serverFinal).toString() === this.#expectedFinal;
  }

  #bare(): string {
    return `n=${this.#username.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${this.#nonce}`;
  }
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
