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

interface Waiting {
  readonly work: ResendWork;
  /** Who waits for it. */
  readonly clients: Set<string>;
}

/**
 * Sends again the deltas that clients missed that (re)subscribe: to everyone who subscribes, by the way of all messages of the device, so
 * that none is overtaken by an older one.
 *
 * What is to be sent waits here, not in the queue of the writer, and is tried again where the writer is busy: nobody else would tell the
 * device. It is bounded by the clients that are connected, each with a bounded number; for many clients that want the same it is sent once.
 */
export class DeltaResend implements Disposable {
  readonly #run: (work: ResendWork) => Promise<unknown>;
  readonly #clock: Clock;
  /** By device and shadow. */
  readonly #waiting = new Map<string, Waiting>();
  /** By client what waits for it. */
  readonly #ofClient = new Map<string, Set<string>>();
  /** No two of the same: who subscribes again and again makes one that waits, not one for each time. */
  readonly #running = new Set<string>();
  #stopRetry: (() => void) | undefined;
  #disposed = false;

  constructor(run: (work: ResendWork) => Promise<unknown>, clock: Clock) {
    this.#run = run;
    this.#clock = clock;
  }

  listening({ filters, from }: Listening): void {
    const client = clientOf(from);
    for (const filter of filters) {
      for (const { device, shadow } of deltaInterests(filter)) this.#add(client, { kind: 'resend', device, shadow });
    }
    this.#pump();
  }

  gone(link: ClientLink): void {
    const client = clientOf(link);
    for (const key of this.#ofClient.get(client) ?? []) {
      const waiting = this.#waiting.get(key);
      if (waiting?.clients.delete(client) === true && waiting.clients.size === 0) this.#waiting.delete(key);
    }
    this.#ofClient.delete(client);
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#waiting.clear();
    this.#ofClient.clear();
    this.#stopRetry?.();
  }

  #add(client: string, work: ResendWork): void {
    let ofClient = this.#ofClient.get(client);
    if (ofClient === undefined) {
      ofClient = new Set();
      this.#ofClient.set(client, ofClient);
    }
    if (ofClient.size >= MAX_WAITING_OF_A_CLIENT) return;
    const key = keyOf(work);
    ofClient.add(key);
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) this.#waiting.set(key, { work, clients: new Set([client]) });
    else waiting.clients.add(client);
  }

  #pump(): void {
    if (this.#stopRetry !== undefined || this.#disposed) return;
    while (this.#running.size < MAX_RUNNING) {
      const next = this.#take();
      if (next === undefined) return;
      this.#running.add(keyOf(next.work));
      void this.#send(next);
    }
  }

  #take(): Waiting | undefined {
    for (const [key, waiting] of this.#waiting) {
      if (this.#running.has(key)) continue;
      this.#waiting.delete(key);
      for (const client of waiting.clients) {
        const ofClient = this.#ofClient.get(client);
        if (ofClient?.delete(key) === true && ofClient.size === 0) this.#ofClient.delete(client);
      }
      return waiting;
    }
    return undefined;
  }

  async #send(next: Waiting): Promise<void> {
    try {
      await this.#run(next.work);
    } catch (error) {
      // Anything else would be no better the next time; the writer has logged it.
      if (!this.#disposed && isSelsynError(error, 'state.busy', 'data.unwritable')) this.#retry(next);
    } finally {
      this.#running.delete(keyOf(next.work));
      this.#pump();
    }
  }

  #retry({ work, clients }: Waiting): void {
    for (const client of clients) this.#add(client, work);
    this.#stopRetry ??= this.#clock.after(RETRY_MS, () => {
      this.#stopRetry = undefined;
      this.#pump();
    });
  }
}

function keyOf({ device, shadow }: ResendWork): string {
  return `${device}/${shadow ?? '+'}`;
}

function clientOf({ gateway, client }: ClientLink): string {
  return `${gateway}/${client}`;
}
