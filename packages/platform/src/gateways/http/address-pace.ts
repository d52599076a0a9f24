import { isIPv6 } from 'node:net';
import type { Clock } from '../../kernel/clock.ts';
import { SelsynError } from '../../kernel/errors.ts';
import { RateLimiter } from '../../provisioning/rate-limiter.ts';

/** So many requests a minute of one address, evenly. Many devices may stand behind one. */
const PER_MINUTE = { look: 6_000, enrol: 1_200 } as const;

/** How fast one address may ask: to look, which costs little, or to enrol. */
export class AddressPace {
  readonly #limiter: RateLimiter;

  constructor(clock: Clock) {
    this.#limiter = new RateLimiter(clock);
  }

  /** @throws SelsynError `request.rate-limited` */
  ensure(what: keyof typeof PER_MINUTE, address: string): void {
    if (this.#limiter.take(`${what} ${addressKeyOf(address)}`, PER_MINUTE[what])) return;
    throw new SelsynError('request.rate-limited', 'too many requests come from this address: try again in a second', {
      retryable: true,
    });
  }
}

/** What a trusted proxy says may be no address. */
const MAX_KEY_LENGTH = 64;

/** Of IPv6 the first 64 bits: a machine has all the others to itself. */
export function addressKeyOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!isIPv6(plain)) return plain.slice(0, MAX_KEY_LENGTH);
  const [head = '', tail] = plain.split('%', 1)[0]?.split('::') ?? [];
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => '0');
  return [...first, ...zeros, ...last]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
