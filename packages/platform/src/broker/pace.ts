import type { Packet } from '@selsyn/wire/mqtt/packets.ts';
import type { BrokerLimits } from './limits.ts';
import { TokenBucket } from './token-bucket.ts';

/** How fast one client may publish. What it has sent is spent; while more is spent than came due, it is not read. */
export class Pace {
  readonly #messages: TokenBucket | undefined;
  readonly #bytes: TokenBucket | undefined;

  /** Undefined where there is no limit. A second's worth may come at once. */
  static of({ maxMessagesPerSec, maxBytesPerSec }: BrokerLimits): Pace | undefined {
    return maxMessagesPerSec === 0 && maxBytesPerSec === 0 ? undefined : new Pace(maxMessagesPerSec, maxBytesPerSec);
  }

  private constructor(messagesPerSec: number, bytesPerSec: number) {
    this.#messages = messagesPerSec === 0 ? undefined : new TokenBucket({ perSec: messagesPerSec, burst: messagesPerSec });
    this.#bytes = bytesPerSec === 0 ? undefined : new TokenBucket({ perSec: bytesPerSec, burst: bytesPerSec });
  }

  /** What costs the broker work is a message. @returns how long it is not to be read, ms; 0: it may go on. */
  spendPacket(type: Packet['type'], nowMs: number): number {
    if (type === 'publish' || type === 'subscribe' || type === 'unsubscribe') this.#messages?.spend(1, nowMs);
    return Math.max(this.#messages?.waitMs(1, nowMs) ?? 0, this.#bytes?.waitMs(0, nowMs) ?? 0);
  }

  spendBytes(bytes: number, nowMs: number): void {
    this.#bytes?.spend(bytes, nowMs);
  }
}
