import type { Clock } from '../../kernel/clock.ts';

/** Why the births of a node are wanted again. */
export type RebirthReason = 'no-birth' | 'unknown-alias' | 'unknown-metric' | 'sequence' | 'asked';

export interface RebirthRequest {
  readonly group: string;
  readonly node: string;
  readonly reason: RebirthReason;
}

/** What came longer ago is read late: the node may have been born again since. */
const RECENT_MS = 60_000;
/** A node is asked again after so long, then twice as long each time: births are large, and one that does not help must not be a flood. */
const FIRST_WAIT_MS = 5_000;
const MAX_WAIT_MS = 10 * 60_000;
/** Of all nodes together, in a second. */
const PER_SECOND = 100;
const MAX_NODES = 100_000;

interface Asked {
  atMs: number;
  waitMs: number;
}

/** Decides when a node is asked for its births (Sparkplug 3.0.0, section 6.4.8: `Node Control/Rebirth`), and hands that on. */
export class RebirthRequests {
  readonly #clock: Clock;
  readonly #send: (request: RebirthRequest) => void;
  readonly #asked = new Map<string, Asked>();
  #second = 0;
  #inSecond = 0;
  sent = 0;
  /** Would have been too soon, or too many. */
  heldBack = 0;

  constructor(dependencies: { readonly clock: Clock; readonly send: (request: RebirthRequest) => void }) {
    this.#clock = dependencies.clock;
    this.#send = dependencies.send;
  }

  /** @param arrivalMs of the message that shows that it is needed */
  ask(nodeId: string, request: RebirthRequest, arrivalMs: number): void {
    if (this.#clock.now() - arrivalMs > RECENT_MS) return;
    const nowMs = this.#clock.monotonicMs();
    const before = this.#asked.get(nodeId);
    const isForgotten = before === undefined || nowMs - before.atMs > 2 * MAX_WAIT_MS;
    if (!isForgotten && nowMs - before.atMs < before.waitMs) {
      this.heldBack++;
      return;
    }
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#second) [this.#second, this.#inSecond] = [second, 0];
    if (++this.#inSecond > PER_SECOND) {
      this.heldBack++;
      return;
    }
    const waitMs = isForgotten ? FIRST_WAIT_MS : Math.min(2 * before.waitMs, MAX_WAIT_MS);
    this.#asked.delete(nodeId);
    this.#asked.set(nodeId, { atMs: nowMs, waitMs });
    const [oldest] = this.#asked.keys();
    if (oldest !== undefined && this.#asked.size > MAX_NODES) this.#asked.delete(oldest);
    this.sent++;
    this.#send(request);
  }
}
