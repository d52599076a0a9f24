import { isIPv6 } from 'node:net';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';

/** Wrong attempts in a row that cost nothing; each further one doubles the wait, from one second on. */
const FREE_FOR_ACCOUNT = 5;
/** Many people may share an address. */
const FREE_FOR_ADDRESS = 20;
const MAX_WAIT_MS = 15 * 60_000;
/** SP 800-63B-4, 3.2.2: not more than 100 in a row, then an operator has to unlock the account. */
export const MAX_FAILURES_IN_A_ROW = 100;
const FORGET_AFTER_MS = 24 * 3_600_000;
const MAX_TALLIES = 50_000;

interface Tally {
  failures: number;
  waitUntilMs: number;
  lastMs: number;
}

/** One try to sign in, which counts as failed until it is said to have succeeded. */
export interface Attempt {
  /** Failed ones of this account in a row, this one included. */
  readonly failures: number;
  succeeded(): void;
}

/**
 * Makes those wait who guess passwords: by account and by address, names that nobody has like any other.
 *
 * An account that is attacked from elsewhere stays usable at the addresses that its user signed in from before: those are
 * counted apart (`familiar`). An attempt is counted before the password is looked at, so that many at the same time do not pass
 * as one. It is all in memory, bounded: the one who was not seen for longest is forgotten first.
 */
export class Lockout {
  readonly #clock: Clock;
  readonly #tallies = new Map<string, Tally>();

  constructor(dependencies: { readonly clock: Clock }) {
    this.#clock = dependencies.clock;
  }

  /** @throws SelsynError `access.locked-out` while account or address have to wait; such an attempt counts for nothing. */
  begin({ account, address, familiar }: SignInPlace): Attempt {
    const nowMs = this.#clock.monotonicMs();
    const network = networkOf(address);
    const names = { account: familiar ? `${account}\0${network}` : `${account}\0`, address: `\0${network}` };
    const waitMs = Math.max(this.#waitMs(names.account, nowMs), this.#waitMs(names.address, nowMs));
    if (waitMs > 0) throw lockedOut(waitMs);
    const ofAccount = this.#count(names.account, FREE_FOR_ACCOUNT, nowMs);
    const ofAddress = this.#count(names.address, FREE_FOR_ADDRESS, nowMs);
    return {
      failures: ofAccount.failures,
      succeeded: () => {
        this.#tallies.delete(names.account);
        // What failed before from this address stays: one good account must not pay for guesses at others.
        ofAddress.failures--;
        ofAddress.waitUntilMs = nowMs;
      },
    };
  }

  /** Forgets what failed with an account. */
  unlock(account: string): void {
    for (const name of this.#tallies.keys()) if (name.startsWith(`${account}\0`)) this.#tallies.delete(name);
  }

  #waitMs(name: string, nowMs: number): number {
    return (this.#tallies.get(name)?.waitUntilMs ?? 0) - nowMs;
  }

  #count(name: string, free: number, nowMs: number): Tally {
    const before = this.#tallies.get(name);
    const tally =
      before === undefined || nowMs - before.lastMs > FORGET_AFTER_MS ? { failures: 0, waitUntilMs: 0, lastMs: 0 } : before;
    tally.failures++;
    tally.lastMs = nowMs;
    const over = tally.failures - free;
    tally.waitUntilMs = over < 0 ? nowMs : nowMs + Math.min(MAX_WAIT_MS, 1000 * 2 ** over);
    // Put in anew, it is the last to be forgotten.
    this.#tallies.delete(name);
    this.#tallies.set(name, tally);
    if (this.#tallies.size > MAX_TALLIES) this.#forgetOldest();
    return tally;
  }

  /** Many at once: to find the first entry of a Map from which many were deleted takes long. */
  #forgetOldest(): void {
    let left = MAX_TALLIES / 10;
    for (const name of this.#tallies.keys()) {
      if (left-- === 0) return;
      this.#tallies.delete(name);
    }
  }
}

export interface SignInPlace {
  readonly account: string;
  readonly address: string;
  /** Whether the account's user signed in from this address before. */
  readonly familiar: boolean;
}

/** Whoever has one IPv6 address has the /64 that it is in. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.toLowerCase().split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array<string>(missing).fill('0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

function lockedOut(waitMs: number): SelsynError {
  const retryAfterSec = Math.ceil(waitMs / 1000);
  return new SelsynError('access.locked-out', `too many sign-ins failed: wait for ${retryAfterSec} s`, {
    retryable: true,
    details: { retryAfterSec },
  });
}
