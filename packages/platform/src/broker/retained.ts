import { setImmediate as nextTurn } from 'node:timers/promises';
import { slotOf } from '../bus/slot.ts';
import type { StoreChange } from '../session-store/session-store.ts';
import type { BrokerCore } from './broker-core.ts';
import type { Completion } from './completion.ts';
import { Deadlines } from './deadlines.ts';
import type { Message } from './message.ts';
import { packetOf } from './message-packet.ts';
import { RetainedDelivery } from './retained-delivery.ts';
import type { RetainedDoubts } from './retained-doubts.ts';
import { RetainedStore } from './retained-store.ts';
import type { Session } from './session.ts';

/**
 * The retained messages of all threads, a copy in each. The home thread of a topic decides the order in which its messages replace
 * each other, stores them, and tells the others.
 */
export class Retained {
  readonly store: RetainedStore;
  readonly delivery: RetainedDelivery;
  /** Set where there are other threads. */
  doubts: RetainedDoubts | undefined;
  readonly #core: BrokerCore;
  readonly #expiring = new Deadlines<Message>();

  constructor(core: BrokerCore) {
    this.#core = core;
    this.store = new RetainedStore(core.limits);
    this.delivery = new RetainedDelivery(this.store, core);
  }

  /**
   * Keeps a retained message in place of what its topic has, or, if it is empty, removes that [MQTT-3.3.1-5, MQTT-3.3.1-6].
   * @returns false where the bounds forbid it.
   */
  publish(message: Message, completion?: Completion): boolean {
    const { bus } = this.#core;
    const slot = slotOf(message.topic.name);
    if (bus === undefined || bus.isHome(slot)) return this.take(message, completion);
    if (message.payload.length > 0 && !this.hasRoom(message)) return false;
    this.doubts?.add(message.topic.name);
    bus.retainAtHome(message, slot, completion);
    return true;
  }

  /** A thread that is not the home of its topic has delivered a message here that is retained. */
  delivered(message: Message): void {
    if (!this.#isHome(message.topic.name)) this.doubts?.add(message.topic.name);
  }

  /** Sends what is retained to new subscriptions, once everything is here that other threads had taken before they knew of them. */
  deliverTo(session: Session, filters: readonly string[]): void {
    const { bus } = this.#core;
    const { connection } = session;
    const start = (): void => {
      if (session.connection === connection) for (const filter of filters) this.delivery.start(session, filter);
    };
    if (bus === undefined) start();
    // The first time was before SUBACK: then all threads knew, but the home of a topic not yet what those had taken before.
    else void bus.settled().then(start);
  }

  /** This thread is the home of its topic. False where the bounds forbid it. */
  take(message: Message, completion: Completion | undefined): boolean {
    if (!this.apply(message)) return false;
    const { store, bus } = this.#core;
    bus?.tellRetained(message);
    // What the server says of itself is true while it runs.
    if (!store.exists || message.topic.name.startsWith('$SYS/')) return true;
    const ticket = store.write(this.#changeOf(message));
    if (completion === undefined) return true;
    completion.expect();
    store.after(ticket, completion);
    return true;
  }

  /** Changes the copy of this thread. False where the bounds forbid it. */
  apply(message: Message): boolean {
    message.own();
    const { name } = message.topic;
    const old = this.store.get(name);
    if (message.payload.length === 0) this.store.remove(name);
    else if (!this.store.put(message)) return false;
    if (old !== undefined && old.expiresAtMs !== Infinity) this.#expiring.remove(old);
    if (message.payload.length > 0 && message.expiresAtMs !== Infinity) this.#expiring.add(message, message.expiresAtMs);
    return true;
  }

  hasRoom(message: { readonly topic: { readonly name: string }; readonly sizeBytes: number }): boolean {
    return this.store.hasRoom(message.topic.name, message.sizeBytes);
  }

  /** What an earlier run of the server had stored; `tellRestored` follows. @param expiresAtMs wall time */
  restore(packet: Uint8Array, expiresAtMs: number): void {
    const { clock, messages } = this.#core;
    const nowMs = clock.monotonicMs();
    const left = expiresAtMs === Infinity ? Infinity : expiresAtMs - clock.now();
    if (left <= 0) return;
    this.apply(messages.read(packet, nowMs, { expiresAtMs: nowMs + left }));
  }

  /** Tells the other threads all that was restored, no faster than they take it in. */
  async tellRestored(): Promise<void> {
    const { bus } = this.#core;
    if (bus === undefined) return;
    const cursor = this.store.wholeCursor();
    while (!cursor.done) {
      cursor.read(SNAPSHOT_NODES, (message) => {
        if (this.#isHome(message.topic.name)) bus.tellRetained(message);
        return !bus.saturated;
      });
      do await nextTurn();
      while (bus.saturated);
    }
  }

  /** Messages whose life is over leave [MQTT-3.3.2-5], some at a time. @returns true where more have to */
  sweep(nowMs: number): boolean {
    return this.#expiring.due(nowMs, (message) => {
      if (this.store.get(message.topic.name) !== message) return;
      this.store.remove(message.topic.name);
      if (this.#isHome(message.topic.name)) this.#core.store.write({ kind: 'retained-removed', topic: message.topic.name });
    });
  }

  /** The messages whose home is here, as they are stored, in slices. */
  *snapshot(): Generator<readonly StoreChange[]> {
    const cursor = this.store.wholeCursor();
    while (!cursor.done) {
      const slice: StoreChange[] = [];
      cursor.read(SNAPSHOT_NODES, (message) => {
        if (this.#isHome(message.topic.name) && !message.topic.name.startsWith('$SYS/')) slice.push(this.#changeOf(message));
        return true;
      });
      yield slice;
    }
  }

  #changeOf(message: Message): StoreChange {
    const topic = message.topic.name;
    if (message.payload.length === 0) return { kind: 'retained-removed', topic };
    const { clock } = this.#core;
    const expiresAtMs = message.expiresAtMs === Infinity ? Infinity : clock.now() + message.expiresAtMs - clock.monotonicMs();
    return { kind: 'retained', topic, packet: packetOf(message), expiresAtMs };
  }

  #isHome(topic: string): boolean {
    const { bus } = this.#core;
    return bus === undefined || bus.isHome(slotOf(topic));
  }
}

const SNAPSHOT_NODES = 1_000;
