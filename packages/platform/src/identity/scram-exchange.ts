import { timingSafeEqual } from 'node:crypto';
import type { AccessExchange, AccessGranted, AccessRefused, AccessStep } from './access-decision.ts';
import { isScramProof, scramServerSignature, type ScramCredential } from './scram-credential.ts';
import { parseClientFinal, parseClientFirst, serverFinal, serverFirst, type ClientFirst } from './scram-messages.ts';

export const SCRAM_SHA_256 = 'SCRAM-SHA-256';

/** What a name stands for. One that nobody has gets a credential too, and no device. */
export interface ScramAccount {
  readonly credential: ScramCredential;
  /** Undefined: of a name that nobody has. */
  readonly device: string | undefined;
}

export interface ScramExchangeOptions {
  /** Called once with each message of the client, so that a credential taken back in between counts no more. */
  readonly accountOf: (username: string) => Promise<ScramAccount>;
  /** What a device may do that has proved who it is. */
  readonly admit: (device: string) => Promise<AccessGranted | AccessRefused>;
  /** Printable ASCII without a comma, that no other exchange has had. */
  readonly serverNonce: string;
}

type State =
  | { readonly kind: 'first' }
  | {
      readonly kind: 'final';
      readonly first: ClientFirst;
      readonly nonce: string;
      readonly challenge: string;
      readonly account: ScramAccount;
    }
  | { readonly kind: 'over' };

/**
 * The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677) as MQTT 5.0 carries it (section 4.12):
 *
 * ```
 *   CONNECT or AUTH 0x19   client-first  →
 *                                        ←  server-first   AUTH 0x18
 *   AUTH 0x18              client-final  →
 *                                        ←  server-final   CONNACK or AUTH 0x00
 * ```
 * A name that nobody has goes the same way and is refused at the end, like a wrong proof. After its end, and while a step is under
 * way, every step is refused.
 */
export class ScramExchange implements AccessExchange {
  readonly #options: ScramExchangeOptions;
  #state: State = { kind: 'first' };

  constructor(options: ScramExchangeOptions) {
    this.#options = options;
  }

  async step(data: Uint8Array | undefined): Promise<AccessStep> {
    const state = this.#state;
    this.#state = { kind: 'over' };
    if (data === undefined) return refused('there is no authentication data');
    try {
      if (state.kind === 'first') return await this.#challenge(data);
      if (state.kind === 'final') return await this.#conclude(state, data);
    } catch (error) {
      return { refused: 'server-busy', reason: `the registry could not be read: ${String(error)}` };
    }
    return refused('this exchange is over');
  }

  async #challenge(data: Uint8Array): Promise<AccessStep> {
    const first = parseClientFirst(data);
    if ('fault' in first) return refused(first.fault);
    const account = await this.#options.accountOf(first.username);
    const nonce = first.nonce + this.#options.serverNonce;
    const challenge = serverFirst(nonce, account.credential.salt, account.credential.iterations);
    this.#state = { kind: 'final', first, nonce, challenge, account };
    return { challenge: Buffer.from(challenge) };
  }

  async #conclude(state: State & { readonly kind: 'final' }, data: Uint8Array): Promise<AccessStep> {
    const { first, account } = state;
    const final = parseClientFinal(data);
    if ('fault' in final) return refused(final.fault);
    if (final.nonce !== state.nonce) return refused('the nonce is not that of the challenge');
    // Without channel binding it holds the GS2 header alone (RFC 5802, section 5.1): nobody has changed it on its way.
    if (final.channelBinding !== Buffer.from(first.gs2Header).toString('base64')) {
      return refused('the channel binding is not that of the first message');
    }
    const authMessage = `${first.bare},${state.challenge},${final.withoutProof}`;
    const proven = isScramProof(account.credential, authMessage, final.proof);
    const current = await this.#options.accountOf(first.username);
    if (!proven || current.device === undefined || !isSame(account.credential, current.credential)) {
      return refused('the device is not known, its token is another, or was given before SCRAM was');
    }
    const granted = await this.#options.admit(current.device);
    if ('refused' in granted) return granted;
    return { granted, data: Buffer.from(serverFinal(scramServerSignature(account.credential, authMessage))) };
  }
}

function isSame(one: ScramCredential, other: ScramCredential): boolean {
  return timingSafeEqual(one.storedKey, other.storedKey);
}

function refused(reason: string): AccessRefused {
  return { refused: 'bad-credentials', reason: `${SCRAM_SHA_256}: ${reason}` };
}
