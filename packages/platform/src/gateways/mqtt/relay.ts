import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Transport } from '../../broker/transport.ts';
import type { PeerId } from '../../bus/bus.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { PeekableTransport } from './peekable-transport.ts';
import { RelayLink, type RelayLinkHost } from './relay-link.ts';

/** What one gateway thread is given to open its end of the relay. Goes through `workerData`, with `ports` in the transfer list. */
export interface RelaySeat {
  readonly ports: readonly { readonly peer: number; readonly port: MessagePort }[];
}

export function relayPortsOf(seat: RelaySeat): MessagePort[] {
  return seat.ports.map(({ port }) => port);
}

/** A port between each two gateway threads; the threads are numbered as on the bus. */
export function newRelay(threads: number): readonly RelaySeat[] {
  const ports = Array.from({ length: threads }, (): { peer: number; port: MessagePort }[] => []);
  for (let a = 0; a < threads; a++) {
    for (let b = a + 1; b < threads; b++) {
      const { port1, port2 } = new MessageChannel();
      ports[a]?.push({ peer: b, port: port1 });
      ports[b]?.push({ peer: a, port: port2 });
    }
  }
  return ports.map((own) => ({ ports: own }));
}

export interface RelayOptions {
  readonly seat: RelaySeat;
  readonly clock: Clock;
  /** Takes the connections that other threads have relayed to this one. */
  readonly broker: { accept(transport: Transport): void };
}

/**
 * Lets the broker of another thread serve a connection whose socket is here, and the other way round: its bytes go over a
 * MessagePort, all of one turn of the event loop together. A thread that ends takes with it the connections that it serves, and
 * those whose sockets it has.
 *
 * Memory is bounded where either side stalls: in each direction of a connection by a window, and between two threads by a mark at
 * which all their sockets are left unread. What a client does not read is for its broker to bound, by `backlogBytes`.
 */
export class Relay implements RelayLinkHost, AsyncDisposable {
  readonly #links: ReadonlyMap<PeerId, RelayLink>;
  readonly #clock: Clock;
  readonly #broker: { accept(transport: Transport): void };
  #onForgotten: (() => void) | undefined;

  constructor({ seat, clock, broker }: RelayOptions) {
    this.#clock = clock;
    this.#broker = broker;
    this.#links = new Map(seat.ports.map(({ peer, port }) => [peer as PeerId, new RelayLink(peer as PeerId, port, this)]));
  }

  /** Relayed connections that have an end here. */
  get size(): number {
    let size = 0;
    for (const link of this.#links.values()) size += link.size;
    return size;
  }

  /** Starts to hear what the other threads relay; what came before waited in the ports. */
  start(): void {
    for (const link of this.#links.values()) link.open();
  }

  /** Lets a peer serve a connection of which `bytes` have come in. Where the peer has ended, the connection is closed. */
  relay(peer: PeerId, transport: PeekableTransport, bytes: Uint8Array): void {
    const link = this.#links.get(peer);
    if (link === undefined) throw new RangeError(`there is no relay to ${peer}`);
    link.relay(transport, bytes);
  }

  accept(transport: Transport): void {
    this.#broker.accept(transport);
  }

  onForgotten(): void {
    this.#onForgotten?.();
  }

  /**
   * Closes once all connections are over, which is for the brokers to bring about: each closes what it serves. Those that are left
   * after `graceMs` are destroyed.
   */
  async close(graceMs: number): Promise<void> {
    if (this.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const cancel = this.#clock.after(graceMs, resolve);
      this.#onForgotten = () => {
        if (this.size === 0) resolve();
      };
      await promise;
      cancel();
      this.#onForgotten = undefined;
    }
    for (const link of this.#links.values()) link.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(0);
  }
}
