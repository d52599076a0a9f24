import type { Outbound } from './outbound.ts';
import type { Session } from './session.ts';

/** True for a filter, not a shared one, that has wildcards and nothing else: `#`, `+`, `+/#`, `+/+`, … */
export function isWide(filter: string): boolean {
  return filter.startsWith('#') || (filter.startsWith('+') && filter.split('/').every((level) => level === '+' || level === '#'));
}

interface WideSession {
  readonly session: Session;
  /** Its subscriptions that are wide. */
  count: number;
  /** When it was found to have no room for a message, and has not had much since. */
  fullSinceMs: number | undefined;
  /** How many messages this connection had been sent when that was looked at last. */
  sent: number;
}

/**
 * The subscriptions to everybody's messages, shared ones too. Each is paid for by every publisher, so there are only so many of
 * them; and where the queue of a persistent session that has one stays full while its client is away or takes nothing, its publishers are all there
 * are: they are refused for so long, and then the session ends.
 */
export class WideSubscriptions {
  readonly #limits: {
    readonly maxWideSubscriptions: number;
    readonly wideFullMs: number;
    readonly maxQueuedMessages: number;
    readonly maxQueuedBytes: number;
  };
  readonly #sessions = new Map<Outbound, WideSession>();
  /** Those of them that were found full. */
  readonly #full = new Set<WideSession>();
  count = 0;

  constructor(limits: {
    readonly maxWideSubscriptions: number;
    readonly wideFullMs: number;
    readonly maxQueuedMessages: number;
    readonly maxQueuedBytes: number;
  }) {
    this.#limits = limits;
  }

  get hasRoom(): boolean {
    return this.count < this.#limits.maxWideSubscriptions;
  }

  add(session: Session): void {
    this.count++;
    const wide = this.#sessions.get(session.outbound);
    if (wide === undefined) this.#sessions.set(session.outbound, { session, count: 1, fullSinceMs: undefined, sent: 0 });
    else wide.count++;
  }

  remove(session: Session): void {
    this.count--;
    const wide = this.#sessions.get(session.outbound);
    if (wide === undefined || --wide.count > 0) return;
    this.#sessions.delete(session.outbound);
    this.#full.delete(wide);
  }

  /** A message was refused for want of room in this queue. @returns false, for there is none */
  foundFull(outbound: Outbound, nowMs: number): false {
    const wide = this.#sessions.get(outbound);
    if (wide === undefined || wide.fullSinceMs !== undefined) return false;
    wide.fullSinceMs = nowMs;
    this.#full.add(wide);
    return false;
  }

  /** The sessions whose queues have been full for too long, with a client that takes nothing or none. One that is half empty again is not full. */
  due(nowMs: number): readonly Session[] {
    const due: Session[] = [];
    const { maxQueuedMessages, maxQueuedBytes, wideFullMs } = this.#limits;
    for (const wide of this.#full) {
      const { outbound } = wide.session;
      if (outbound.queued * 2 <= maxQueuedMessages && outbound.bytes * 2 <= maxQueuedBytes) {
        wide.fullSinceMs = undefined;
        this.#full.delete(wide);
      } else if (outbound.link !== undefined && outbound.link.sender.sent !== wide.sent) {
        // Its client is there, and takes what it can.
        wide.sent = outbound.link.sender.sent;
        wide.fullSinceMs = nowMs;
      } else if (nowMs - (wide.fullSinceMs ?? nowMs) >= wideFullMs) due.push(wide.session);
    }
    return due;
  }
}
