import type { Socket } from 'node:net';
import type { Door } from '../../broker/transport.ts';
import type { Clock } from '../../kernel/clock.ts';

/** A connection on its way through a door: its PROXY header, TLS handshake or HTTP upgrade is not done. */
export interface Arrival {
  readonly socket: Socket;
  readonly door: Door;
  readonly deadlineMs: number;
  /** What a proxy has told. */
  clientAddress: string | undefined;
}

/**
 * The connections that have come in and are not the broker's yet; each has so long to get through its door.
 *
 * A TLS socket does not tell which socket it was made on, so an arrival is found by the two ends of its connection, which all
 * layers of it share. Invariants: arrivals stand in the order of their deadlines (they all have the same time, and a Map keeps
 * insertion order); an arrival leaves when it is taken or when its socket closes. Their number is bounded by that of sockets.
 */
export class Arrivals implements Disposable {
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #onLate: () => void;
  readonly #waiting = new Map<string, Arrival & { readonly onClose: () => void }>();
  #cancel: (() => void) | undefined;

  constructor(options: { readonly clock: Clock; readonly deadlineMs: number; readonly onLate: () => void }) {
    this.#clock = options.clock;
    this.#deadlineMs = options.deadlineMs;
    this.#onLate = options.onLate;
  }

  get count(): number {
    return this.#waiting.size;
  }

  /** Undefined, and the socket is destroyed, where the peer is gone already. */
  add(socket: Socket, door: Door): Arrival | undefined {
    const key = endsOf(socket);
    if (key === undefined) {
      socket.destroy();
      return undefined;
    }
    const arrival = {
      socket,
      door,
      deadlineMs: this.#clock.monotonicMs() + this.#deadlineMs,
      clientAddress: undefined,
      onClose: (): void => {
        if (this.#waiting.get(key) === arrival) this.#waiting.delete(key);
      },
    };
    this.#waiting.set(key, arrival);
    socket.on('close', arrival.onClose);
    if (this.#cancel === undefined) this.#schedule(this.#deadlineMs);
    return arrival;
  }

  /** The arrival that a stream on any layer belongs to, which goes on waiting. */
  find(stream: Socket): Arrival | undefined {
    const key = endsOf(stream);
    return key === undefined ? undefined : this.#waiting.get(key);
  }

  /** The same, and it waits no more: it is through. */
  take(stream: Socket): Arrival | undefined {
    const key = endsOf(stream);
    if (key === undefined) return undefined;
    const arrival = this.#waiting.get(key);
    this.#waiting.delete(key);
    // The connection is likely to live for long, and what is on its socket with it.
    arrival?.socket.off('close', arrival.onClose);
    return arrival;
  }

  /** Closes all. */
  [Symbol.dispose](): void {
    this.#cancel?.();
    for (const { socket } of this.#waiting.values()) socket.destroy();
    this.#waiting.clear();
  }

  #schedule(delayMs: number): void {
    this.#cancel = this.#clock.after(delayMs, () => {
      this.#cancel = undefined;
      this.#sweep();
    });
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, arrival] of this.#waiting) {
      if (arrival.deadlineMs > nowMs) {
        this.#schedule(arrival.deadlineMs - nowMs);
        return;
      }
      this.#waiting.delete(key);
      arrival.socket.destroy();
      this.#onLate();
    }
  }
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string | undefined {
  return remotePort === undefined ? undefined : `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
