import type { StateEvent } from './state-events.ts';

/*
 * Between the thread that writes the state and those that watch it:
 *
 *   watcher ──▶ writer   { kind: 'watch', ... }   whom it wants to hear of, as a change of what it said before
 *   watcher ──▶ writer   { kind: 'taken', count } so many events were dealt with: as many more may come
 *   writer  ──▶ watcher  EventReport              in the order in which the events became durable
 *
 * No more than MAX_UNTAKEN events are on their way at once. Those that there is no room for are lost, and counted in the next report.
 */

/** What who watches tells the thread that writes. Plain data. */
export type WatchOrder = WatchChange | { readonly kind: 'taken'; readonly count: number };

export interface WatchChange {
  readonly kind: 'watch';
  /** All devices, or only those that were named. */
  readonly all: boolean;
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** What the thread that writes tells who watches. Plain data. */
export interface EventReport {
  readonly events: readonly StateEvent[];
  /** Events that were lost before these, as there was no room for them. */
  readonly lost: number;
}

/** Events on their way to who watches: some MB of documents at the most. */
const MAX_UNTAKEN = 10_000;

/** The end of the thread that writes: whose events are wanted, and how many may be sent. Fits `StateOutlet`. */
export class EventWatch {
  readonly #report: (report: EventReport) => void;
  readonly #devices = new Set<string>();
  #all = false;
  #untaken = 0;
  #lost = 0;

  constructor(report: (report: EventReport) => void) {
    this.#report = report;
  }

  /** What the watcher said. */
  take(order: WatchOrder): void {
    if (order.kind === 'taken') {
      this.#untaken -= order.count;
      if (this.#lost > 0 && this.#untaken === 0) this.#send([]);
      return;
    }
    this.#all = order.all;
    for (const device of order.added) this.#devices.add(device);
    for (const device of order.removed) this.#devices.delete(device);
  }

  isWatched(device: string): boolean {
    return this.#all || this.#devices.has(device);
  }

  tell(events: readonly StateEvent[]): void {
    const room = MAX_UNTAKEN - this.#untaken;
    if (room <= 0) {
      this.#lost += events.length;
      return;
    }
    this.#send(events.slice(0, room));
    this.#lost += Math.max(0, events.length - room);
  }

  #send(events: readonly StateEvent[]): void {
    const lost = this.#lost;
    this.#lost = 0;
    this.#untaken += events.length;
    this.#report({ events, lost });
  }
}
