import type { BrokerLimits } from './limits.ts';

/** What a client may leave unread and still be read: no messages alone come to more, only answers do that are not read. */
export function mostUnread({ maxBacklogBytes, maxPacketBytes }: BrokerLimits): number {
  return 2 * maxBacklogBytes + maxPacketBytes;
}

/** Finds what would hold a connection open for nothing: a packet that trickles in for ever, answers that are never read. */
export class StallWatch {
  /** When the packet whose rest is still to come was found begun, or the last one came. */
  partialSinceMs = 0;
  /** While it is not read: how few bytes of its answers waited, and since when. */
  #unread: { bytes: number; sinceMs: number } | undefined;

  /** True while the connection is not read because its client does not read. */
  get awaitsReader(): boolean {
    return this.#unread !== undefined;
  }

  awaitReader(backlogBytes: number, nowMs: number): void {
    this.#unread ??= { bytes: backlogBytes, sinceMs: nowMs };
  }

  /** `gone`: it has read nothing for too long. */
  checkReader(backlogBytes: number, nowMs: number, limits: BrokerLimits): 'reads' | 'waits' | 'gone' {
    const unread = this.#unread;
    if (unread === undefined || backlogBytes <= limits.maxBacklogBytes) {
      this.#unread = undefined;
      return 'reads';
    }
    if (backlogBytes < unread.bytes) {
      unread.bytes = backlogBytes;
      unread.sinceMs = nowMs;
      return 'waits';
    }
    // A large packet is seen to be taken only when all of it is.
    return nowMs - unread.sinceMs >= limits.unreadDeadlineMs + backlogBytes / LEAST_BYTES_PER_MS ? 'gone' : 'waits';
  }

  /**
   * Whether the packet that is coming in takes too long: it holds memory, and a connection that nothing else keeps alive. The more
   * of it has come the longer it may take; where memory is full, a tenth as long.
   */
  tooSlow(
    partialBytes: number,
    nowMs: number,
    { limits, memory }: { readonly limits: BrokerLimits; readonly memory: { readonly isFull: boolean } },
  ): boolean {
    if (partialBytes === 0) {
      this.partialSinceMs = nowMs;
      return false;
    }
    const { packetDeadlineMs } = limits;
    return nowMs - this.partialSinceMs >= (memory.isFull ? packetDeadlineMs / 10 : packetDeadlineMs + partialBytes);
  }
}

/** What the slowest client takes. */
const LEAST_BYTES_PER_MS = 16;
