import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import { isSelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { SessionStore, StoreChange } from '../session-store/session-store.ts';
import { type AckOwner, AckRing } from './ack-ring.ts';
import { codeOfIntakeError } from './close-reasons.ts';

/** What a write came to that the store did not take. */
const NOT_TAKEN = -1;

/**
 * The broker's end of the session store: writes changes, and tells those who wait for one when it is durable.
 *
 * Without a store nothing is kept, and nobody waits.
 */
export class StoreLink {
  /** Every change up to this ticket is durable or rejected. */
  settledUpTo = 0;
  readonly #store: SessionStore | undefined;
  readonly #ring: AckRing;
  readonly #logLines: LogLines;
  #refused: AckOwner[] = [];

  constructor(options: { readonly store: SessionStore | undefined; readonly maxWaiting: number; readonly logLines: LogLines }) {
    this.#store = options.store;
    this.#ring = new AckRing(options.maxWaiting);
    this.#logLines = options.logLines;
  }

  get exists(): boolean {
    return this.#store !== undefined;
  }

  get saturated(): boolean {
    return this.#store !== undefined && (this.#store.saturated || this.#ring.full);
  }

  /** Those who wait for a change. */
  get waiting(): number {
    return this.#ring.size;
  }

  /** Writes a change and returns its ticket, for `after`. */
  write(change: StoreChange): number {
    if (this.#store === undefined) return 0;
    try {
      return this.#store.write(change);
    } catch (error) {
      if (!isSelsynError(error)) throw error;
      this.#logLines.debug({ err: error, change: change.kind }, 'the session store refused a change');
      return NOT_TAKEN;
    }
  }

  /** True when nobody needs to wait for this ticket. */
  isSettled(ticket: number): boolean {
    return ticket >= 0 && ticket <= this.settledUpTo;
  }

  /** `owner.settle` is called once the change is durable (0) or rejected (a code), never from within this call. */
  after(ticket: number, owner: AckOwner): void {
    if (ticket === NOT_TAKEN) {
      this.#refused.push(owner);
      if (this.#refused.length === 1) setImmediate(() => this.#tellRefused());
    } else this.#ring.push(owner, 0, 0, ticket);
  }

  settle(upTo: number, error: Error | undefined): void {
    if (error === undefined) {
      this.settledUpTo = upTo;
      this.#ring.settle(upTo, ReasonCode.success);
    } else {
      // Nothing of it is taken for stored by one who is told before another.
      this.#ring.settle(upTo, codeOfIntakeError(error));
      this.settledUpTo = upTo;
    }
  }

  #tellRefused(): void {
    const refused = this.#refused;
    this.#refused = [];
    for (const owner of refused) owner.settle(0, 0, ReasonCode.implementationSpecificError);
  }
}
