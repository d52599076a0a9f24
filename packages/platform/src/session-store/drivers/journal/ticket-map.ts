import type { Ticket } from '../../../log/log.ts';
import type { StoreTicket } from '../../session-store.ts';

/**
 * Tells tickets of changes from tickets of the log, which also counts what the driver writes for itself (snapshots).
 *
 *   tickets of the log:    1  2  3  4  5  6  7  8          own runs: { 3, 2 } { 7, 1 }
 *   changes:               1  2  ·  ·  3  4  ·  5
 *
 * Invariant: `#runs` holds the own tickets that are not settled yet, ascending, neighbours joined: as many entries at most
 * as there are records pending.
 */
export class TicketMap {
  readonly #runs: { readonly first: number; count: number }[] = [];
  #ownSettled = 0;

  /** The driver's own record got this ticket. */
  own(ticket: Ticket): void {
    const last = this.#runs.at(-1);
    if (last !== undefined && last.first + last.count === ticket) last.count += 1;
    else this.#runs.push({ first: ticket, count: 1 });
  }

  /** The last change that is settled when the log has settled all up to this ticket; 0 if none. */
  settle(upTo: Ticket): StoreTicket {
    let run = this.#runs[0];
    while (run !== undefined && run.first <= upTo) {
      const settled = Math.min(run.count, upTo - run.first + 1);
      this.#ownSettled += settled;
      this.#runs.shift();
      if (settled < run.count) this.#runs.unshift({ first: run.first + settled, count: run.count - settled });
      run = this.#runs[0];
    }
    return (upTo - this.#ownSettled) as StoreTicket;
  }
}
