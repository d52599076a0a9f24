import type { Clock } from '../kernel/clock.ts';
import { isSelsynError } from '../kernel/errors.ts';
import type { ClientLink } from '../state/client-link.ts';
import type { Listening } from '../state/device-request.ts';
import { deltaInterests } from './shadow-topics.ts';
import type { ResendWork } from './shadow-work.ts';

/** Deltas that are on their way through the writer at once: a storm of devices that come back leaves room for their updates. */
const MAX_RUNNING = 500;
/** Of one client that wait: a device subscribes to its own few shadows. */
const MAX_WAITING_OF_A_CLIENT = 100;
const RETRY_MS = 500;

/**
 * Sends clients that (re)subscribe the deltas that they missed.
 *
 * What is to be sent waits here, not in the queue of the writer, and is tried again where the writer is busy: nobody else would tell the
 * device. It is bounded by the clients that are connected, each with a bounded number.
 */
export class DeltaResend implements Disposable {
  readonly #run: (work: ResendWork) => Promise<unknown>;
  readonly #clock: Clock;
  /** By client: by device and shadow. */
  readonly #waiting = new Map<string, Map<string, ResendWork>>();
  #running = 0;
  #stopRetry: (() => void) | undefined;
  #disposed = false;

  constructor(run: (work: ResendWork) => Promise<unknown>, clock: Clock) {
    this.#run = run;
    this.#clock = clock;
  }

  listening({ filters, from }: Listening): void {
    const client = clientOf(from);
    for (const filter of filters) {
      for (const { device, shadow } of deltaInterests(filter)) this.#add(client, { kind: 'resend', device, shadow, to: from });
    }
    this.#pump();
  }

  gone(link: ClientLink): void {
    this.#waiting.delete(clientOf(link));
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#waiting.clear();
    this.#stopRetry?.();
  }

  #add(client: string, work: ResendWork): void {
    let ofClient = this.#waiting.get(client);
    if (ofClient === undefined) {
      ofClient = new Map();
      this.#waiting.set(client, ofClient);
    }
    if (ofClient.size < MAX_WAITING_OF_A_CLIENT) ofClient.set(`${work.device}/${work.shadow ?? '+'}`, work);
  }

  #pump(): void {
    if (this.#stopRetry !== undefined || this.#disposed) return;
    while (this.#running < MAX_RUNNING) {
      const next = this.#take();
      if (next === undefined) return;
      this.#running++;
      void this.#send(next);
    }
  }

  #take(): ResendWork | undefined {
    for (const [client, works] of this.#waiting) {
      for (const [key, work] of works) {
        works.delete(key);
        if (works.size === 0) this.#waiting.delete(client);
        return work;
      }
    }
    return undefined;
  }

  async #send(work: ResendWork): Promise<void> {
    try {
      await this.#run(work);
    } catch (error) {
      // Anything else would be no better the next time; the writer has logged it.
      if (!this.#disposed && isSelsynError(error, 'state.busy', 'data.unwritable')) this.#retry(work);
    } finally {
      this.#running--;
      this.#pump();
    }
  }

  #retry(work: ResendWork): void {
    this.#add(clientOf(work.to), work);
    this.#stopRetry ??= this.#clock.after(RETRY_MS, () => {
      this.#stopRetry = undefined;
      this.#pump();
    });
  }
}

function clientOf({ gateway, client }: ClientLink): string {
  return `${gateway}/${client}`;
}
