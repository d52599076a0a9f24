import { SelsynError } from '../../kernel/errors.ts';
import type { MasterKey } from '../master-key.ts';

export interface VaultOptions {
  /** `https://vault.example:8200` */
  readonly url: string;
  /** Where its transit engine is mounted. */
  readonly mount: string;
  /** A key of the transit engine, of a kind that takes associated data: aes256-gcm96. */
  readonly key: string;
  readonly token: string;
}

const DEADLINE_MS = 5_000;
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * A key in the transit engine of HashiCorp Vault, or what speaks its API
 * (https://developer.hashicorp.com/vault/api-docs/secret/transit): it never leaves Vault. Vault keeps its older versions and says in
 * what it wrapped which of them it was.
 */
export class VaultMasterKey implements MasterKey {
  readonly id: string;
  readonly #options: VaultOptions;

  constructor(options: VaultOptions) {
    this.#options = options;
    this.id = `vault:${options.mount}/${options.key}`;
  }

  async wrap(dataKey: Uint8Array, name: string): Promise<string> {
    const { ciphertext } = await this.#call('encrypt', {
      plaintext: Buffer.from(dataKey).toString('base64'),
      associated_data: Buffer.from(name).toString('base64'),
    });
    if (typeof ciphertext !== 'string' || !ciphertext.startsWith('vault:')) throw this.#failed('answered without a ciphertext');
    return ciphertext;
  }

  async unwrap(wrapped: string, name: string): Promise<Uint8Array> {
    const { plaintext } = await this.#call('decrypt', {
      ciphertext: wrapped,
      associated_data: Buffer.from(name).toString('base64'),
    });
    if (typeof plaintext !== 'string') throw this.#failed('answered without a plaintext');
    return Buffer.from(plaintext, 'base64');
  }

  async #call(
    operation: 'encrypt' | 'decrypt',
    body: Readonly<Record<string, string>>,
  ): Promise<Readonly<Record<string, unknown>>> {
    const { url, mount, key, token } = this.#options;
    let status: number;
    let text: string;
    try {
      const response = await fetch(`${url.replace(/\/+$/, '')}/v1/${mount}/${operation}/${encodeURIComponent(key)}`, {
        method: 'POST',
        headers: { 'X-Vault-Token': token, 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
        redirect: 'error',
        signal: AbortSignal.timeout(DEADLINE_MS),
      });
      status = response.status;
      text = (await response.text()).slice(0, MAX_ANSWER_BYTES);
    } catch (error) {
      throw this.#failed(`cannot be reached (${reasonOf(error)})`, error);
    }
    const answer = objectOf(text);
    // Vault answers 400 to what no version of the key has wrapped, or under another name.
    if (status === 400 && operation === 'decrypt') {
      throw new SelsynError(
        'secrets.wrong-master-key',
        `the key ${this.id} does not open what it is asked for: ${errorsOf(answer)}`,
      );
    }
    if (status !== 200) throw this.#failed(`answered ${status}: ${errorsOf(answer)}`);
    const { data } = answer;
    return typeof data === 'object' && data !== null ? (data as Readonly<Record<string, unknown>>) : {};
  }

  #failed(what: string, cause?: unknown): SelsynError {
    return new SelsynError('secrets.unavailable', `${new URL(this.#options.url).origin} ${what}`, { cause, retryable: true });
  }
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  } catch {
    // Some proxy answered: the status says what can be said.
    return {};
  }
}

function errorsOf({ errors }: Readonly<Record<string, unknown>>): string {
  return Array.isArray(errors) && errors.length > 0 ? errors.map(String).join('; ').slice(0, 300) : 'no reason given';
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : error.message;
}
