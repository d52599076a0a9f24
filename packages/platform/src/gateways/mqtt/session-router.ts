import type { Transport, TransportListener } from '../../broker/transport.ts';
import type { Bus, PeerId } from '../../bus/bus.ts';
import { slotOf } from '../../bus/slot.ts';
import type { Clock } from '../../kernel/clock.ts';
import { peekConnect } from './peek-connect.ts';
import type { PeekableTransport } from './peekable-transport.ts';
import type { Relay } from './relay.ts';

export interface SessionRouterOptions {
  readonly broker: {
    accept(transport: Transport): void;
    readonly counters: { connectTimeouts: number };
  };
  /** The other gateway threads; undefined where there are none. */
  readonly others: RoutedThreads | undefined;
  readonly clock: Clock;
}

export interface RoutedThreads {
  readonly bus: Pick<Bus, 'self' | 'homeOf'>;
  readonly relay: Pick<Relay, 'relay'>;
  /** How many gateway threads there are, this one included. */
  readonly count: number;
  /** This thread alone has listeners: what is at home anywhere is handed round. */
  readonly listensAlone: boolean;
  readonly maxPacketBytes: number;
  /** A connection that has not shown where it belongs by then is closed. */
  readonly connectDeadlineMs: number;
}

/**
 * Hands each connection to the broker of the thread that is to serve it: one whose session may outlive it to the home of its
 * client id, every other to this one.
 *
 * A connection is looked at until its CONNECT tells where it belongs. After that nothing of this is in the way of one that stays here.
 */
export class SessionRouter implements Disposable {
  readonly #broker: SessionRouterOptions['broker'];
  readonly #others: RoutedThreads | undefined;
  readonly #clock: Clock;
  /** In the order of their deadlines. Bounded by the sockets that the doors let in. */
  readonly #undecided = new Set<UndecidedConnection>();
  #cancelSweep: (() => void) | undefined;
  #closed = false;
  #turn = 0;

  constructor({ broker, others, clock }: SessionRouterOptions) {
    this.#broker = broker;
    this.#others = others;
    this.#clock = clock;
  }

  /** Connections whose CONNECT has not come in. */
  get undecidedCount(): number {
    return this.#undecided.size;
  }

  /** Sees to it that the connection is served. */
  accept(transport: PeekableTransport): void {
    const others = this.#others;
    if (others === undefined) {
      this.#broker.accept(transport);
      return;
    }
    if (this.#closed) {
      transport.destroy();
      return;
    }
    const deadlineMs = this.#clock.monotonicMs() + others.connectDeadlineMs;
    const connection = new UndecidedConnection({
      transport,
      deadlineMs,
      maxPacketBytes: others.maxPacketBytes,
      onDecided: (home, bytes) => {
        this.#undecided.delete(connection);
        this.#serve(others, transport, home, bytes);
      },
      onClosed: () => this.#undecided.delete(connection),
    });
    this.#undecided.add(connection);
    this.#scheduleSweep(others.connectDeadlineMs);
    transport.attach(connection);
  }

  /** Closes the connections that are not decided; none is taken any more. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#cancelSweep?.();
    for (const connection of this.#undecided) connection.destroy();
  }

  #serve(others: RoutedThreads, transport: PeekableTransport, home: Home, bytes: Uint8Array): void {
    const peer = this.#peerOf(others, transport, home);
    if (peer !== others.bus.self) {
      others.relay.relay(peer, transport, bytes);
      return;
    }
    this.#broker.accept(transport);
    transport.replay(bytes);
  }

  #peerOf({ bus, count, listensAlone }: RoutedThreads, { door }: Transport, home: Home): PeerId {
    if (typeof home === 'object') return bus.homeOf(slotOf(home.clientId));
    // A Unix socket is listened on by one thread.
    if (home === 'here' || (!listensAlone && door !== 'unix')) return bus.self;
    this.#turn = (this.#turn + 1) % count;
    return ((bus.self + this.#turn) % count) as PeerId;
  }

  #scheduleSweep(delayMs: number): void {
    this.#cancelSweep ??= this.#clock.after(delayMs, () => {
      this.#cancelSweep = undefined;
      this.#sweep();
    });
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const connection of this.#undecided) {
      if (connection.deadlineMs > nowMs) {
        this.#scheduleSweep(connection.deadlineMs - nowMs);
        return;
      }
      this.#undecided.delete(connection);
      this.#broker.counters.connectTimeouts++;
      connection.destroy();
    }
  }
}

/** Where a connection is to be served: in the home of its client id, in any thread, or where it is. */
type Home = { readonly clientId: string } | 'anywhere' | 'here';

interface UndecidedOptions {
  readonly transport: PeekableTransport;
  readonly deadlineMs: number;
  readonly maxPacketBytes: number;
  readonly onDecided: (home: Home, bytes: Uint8Array) => void;
  readonly onClosed: () => void;
}

/** A connection whose CONNECT is not all here, as far as it matters. Holds no more than one packet of the largest size. */
class UndecidedConnection implements TransportListener {
  readonly #options: UndecidedOptions;
  /** What has come, where it came in more than one chunk: `#heldBytes`. Doubles, so that copying is O(n) however small they are. */
  #held: Buffer | undefined;
  #heldBytes = 0;
  #neededBytes = 0;
  #over = false;

  constructor(options: UndecidedOptions) {
    this.#options = options;
  }

  get deadlineMs(): number {
    return this.#options.deadlineMs;
  }

  onData(chunk: Uint8Array): void {
    if (this.#over) return;
    const bytes = this.#held === undefined ? chunk : this.#append(chunk);
    if (bytes.length < this.#neededBytes) return;
    const peek = peekConnect(bytes, this.#options.maxPacketBytes);
    if (peek.kind === 'short') {
      this.#neededBytes = peek.neededBytes;
      if (this.#held === undefined) this.#append(chunk);
      return;
    }
    this.#over = true;
    this.#held = undefined;
    this.#options.onDecided(peek.kind === 'persistent' ? peek : peek.kind === 'anywhere' ? 'anywhere' : 'here', bytes);
  }

  onDrain(): void {
    // Nothing was written.
  }

  /** There is nobody to answer. */
  onEnd(): void {
    if (this.#over) return;
    this.#over = true;
    this.#held = undefined;
    this.#options.transport.end();
  }

  onClose(): void {
    this.#options.onClosed();
  }

  destroy(): void {
    this.#over = true;
    this.#held = undefined;
    this.#options.transport.destroy();
  }

  #append(chunk: Uint8Array): Buffer {
    const end = this.#heldBytes + chunk.length;
    let held = this.#held;
    if (held === undefined || end > held.length) {
      held = Buffer.allocUnsafeSlow(Math.max(end, 2 * this.#heldBytes, LEAST_HELD_BYTES));
      this.#held?.copy(held, 0, 0, this.#heldBytes);
      this.#held = held;
    }
    held.set(chunk, this.#heldBytes);
    this.#heldBytes = end;
    return held.subarray(0, end);
  }
}

const LEAST_HELD_BYTES = 64;
