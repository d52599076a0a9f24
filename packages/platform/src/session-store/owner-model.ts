import type { SelsynError } from '../kernel/errors.ts';
import { StoredMarks } from './stored-marks.ts';
import type {
  Holder,
  MessageMark,
  SessionNumber,
  StoreChange,
  StoredMessage,
  StoredSession,
  StoreOwner,
  StoreTicket,
} from './session-store.ts';

interface ModelSession {
  info: StoredSession;
  subscriptions: {
    filter: string;
    options: { qos: 0 | 1 | 2; noLocal: boolean; retainAsPublished: boolean; identifier: number };
  }[];
  queue: { readonly message: StoredMessage; readonly holder: Holder }[];
  released: number[];
  received: number[];
}

/** One thing that the model may do: what, and to which of the things there are. */
export interface Action {
  readonly op: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

export const ACTIONS = 14;

/** For tests: an owner as simple as can be, which makes valid changes of itself and can be compared. */
export class OwnerModel implements StoreOwner {
  readonly events: (
    | { readonly durable: number }
    | { readonly rejected: number; readonly error: SelsynError }
    | { readonly drained: true }
  )[] = [];
  /** Tickets up to here are settled. */
  settledUpTo = 0;
  onSettled: (upTo: StoreTicket) => void = () => undefined;
  readonly #sessions: ModelSession[] = [];
  readonly #marks = new StoredMarks();
  readonly #retained = new Map<string, { readonly packet: Uint8Array; readonly expiresAtMs: number }>();
  #nextSession = 1;
  #nextMessage = 1;

  /** Does what the action says, if there is anything to do it to, and returns the change to be written. */
  act(action: Action): StoreChange | undefined {
    const change = this.#changeOf(action);
    if (change !== undefined) this.#apply(change);
    return change;
  }

  /** The number of sessions. */
  get size(): number {
    return this.#sessions.length;
  }

  restore(change: StoreChange): void {
    this.#apply(change);
    if (change.kind === 'message' && change.holders.length === 0) throw new Error('a message that nobody holds');
    if (change.kind === 'session') this.#nextSession = Math.max(this.#nextSession, change.session.number + 1);
    if (change.kind === 'message') this.#nextMessage = Math.max(this.#nextMessage, change.message.number + 1);
  }

  onDurable(upTo: StoreTicket): void {
    this.events.push({ durable: upTo });
    this.#settle(upTo);
  }

  onRejected(upTo: StoreTicket, error: Error): void {
    this.events.push({ rejected: upTo, error: error as SelsynError }); // as the interface says
    this.#settle(upTo);
  }

  onDrained(): void {
    this.events.push({ drained: true });
  }

  *snapshot(): Generator<readonly StoreChange[]> {
    const given = new Set<number>();
    for (const session of this.#sessions.slice()) if (this.#sessions.includes(session)) yield this.#slice(session, given);
    yield [...this.#marks].flatMap(({ mark, groups }) => [...groups].map((group) => ({ kind: 'marked', mark, group }) as const));
    for (const topic of this.#retained.keys()) {
      const retained = this.#retained.get(topic);
      if (retained !== undefined) yield [{ kind: 'retained', topic, ...retained }];
    }
  }

  /** Resolves once this ticket is settled. */
  async settled(ticket: number): Promise<void> {
    while (this.settledUpTo < ticket) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Everything but marks, without numbers that only a store gives a meaning, as lines that can be compared and sorted. */
  lines(): string[] {
    const sessions = this.#sessions.map(({ info, subscriptions, queue, released, received }) => {
      const { number: _, will, ...said } = info;
      return JSON.stringify({
        ...said,
        will: will && { packet: textOf(will.packet), delaySec: will.delaySec },
        subscriptions: subscriptions.map((one) => JSON.stringify(one)).toSorted(),
        queue: queue.map(({ message, holder: { session: _session, ...holder } }) => ({
          packet: textOf(message.packet),
          expires: String(message.expiresAtMs),
          holder,
        })),
        released,
        received: received.toSorted((a, b) => a - b),
      });
    });
    const retained = [...this.#retained].map(([topic, { packet, expiresAtMs }]) =>
      JSON.stringify({ topic, packet: textOf(packet), expires: String(expiresAtMs) }),
    );
    return [...sessions, ...retained].toSorted();
  }

  text(): string {
    const marks = [...this.#marks].map(({ mark, groups }) => JSON.stringify([mark, [...groups].toSorted()]));
    return [...this.lines(), ...marks.toSorted()].join('\n');
  }

  /** The packet that is retained on a topic. */
  retained(topic: string): string | undefined {
    const retained = this.#retained.get(topic);
    return retained && textOf(retained.packet);
  }

  retain(topic: string, text: string): StoreChange {
    const change: StoreChange = { kind: 'retained', topic, packet: bytesOf(text), expiresAtMs: Infinity };
    this.#apply(change);
    return change;
  }

  #settle(upTo: StoreTicket): void {
    if (upTo <= this.settledUpTo) throw new Error('a ticket was settled twice');
    this.settledUpTo = upTo;
    this.onSettled(upTo);
  }

  #slice({ info, subscriptions, queue, released, received }: ModelSession, given: Set<number>): readonly StoreChange[] {
    const session = info.number;
    return [
      { kind: 'session', session: info, fresh: true },
      ...subscriptions.map((one) => ({ kind: 'subscribed', session, ...one }) as const),
      ...queue.map(({ message, holder }): StoreChange => {
        if (given.has(message.number)) return { kind: 'held', message: message.number, holders: [holder] };
        given.add(message.number);
        return { kind: 'message', message, holders: [holder] };
      }),
      ...released.map((packetId) => ({ kind: 'released', session, packetId }) as const),
      ...received.map((packetId) => ({ kind: 'received', session, packetId }) as const),
    ];
  }

  #changeOf({ op, a, b, c }: Action): StoreChange | undefined {
    const one = this.#sessions[a % Math.max(1, this.#sessions.length)];
    const kind = op % ACTIONS;
    if (kind <= 1) return this.#open(a, b, c);
    if (kind === 2)
      return { kind: 'retained', topic: `t/${a % 5}`, packet: bytesOf(`retained ${b}`), expiresAtMs: c || Infinity };
    if (kind === 3) return { kind: 'retained-removed', topic: `t/${a % 5}` };
    if (kind === 13 && c % 2 === 0) return { kind: 'unmarked', mark: markOf(b) };
    if (one === undefined) return undefined;
    const session = one.info.number;
    const queued = one.queue[b % Math.max(1, one.queue.length)];
    const packetId = 1 + (b % 9);
    switch (kind) {
      case 4:
        return c % 3 === 0 ? { kind: 'session-removed', session } : this.#describe(one.info, b, c);
      case 5: {
        const options = { qos: (c % 3) as 0, noLocal: c % 2 === 0, retainAsPublished: c % 5 === 0, identifier: c % 4 }; // 0, 1 or 2
        return { kind: 'subscribed', session, filter: `f/${b % 4}/#`, options };
      }
      case 6:
        return { kind: 'unsubscribed', session, filter: `f/${b % 4}/#` };
      case 7:
        return queued && { kind: 'held', message: queued.message.number, holders: [this.#holder(c, b)], ...marked(a, b) };
      case 8:
        return queued?.holder.qos === 2 ? { kind: 'released', session, packetId: queued.holder.packetId } : undefined;
      case 9:
        return queued && { kind: 'settled', session, packetId: queued.holder.packetId };
      case 10:
        return { kind: c % 2 === 0 ? 'received' : 'completed', session, packetId };
      case 11:
        return one.released.length > 0
          ? { kind: 'settled', session, packetId: one.released[b % one.released.length]! }
          : undefined;
      default:
        return this.#message(a, b, c);
    }
  }

  #open(a: number, b: number, c: number): StoreChange {
    const clientId = `client ${a % 8}`;
    const known = this.#sessions.find(({ info }) => info.clientId === clientId);
    const described = this.#describe(known?.info ?? { number: this.#nextSession as SessionNumber, clientId }, b, c);
    if (known === undefined) this.#nextSession += 1;
    return { ...described, fresh: known === undefined || c % 2 === 0 };
  }

  #describe(
    session: { readonly number: SessionNumber; readonly clientId: string },
    b: number,
    c: number,
  ): StoreChange & { readonly kind: 'session' } {
    const { number, clientId } = session;
    const will = c % 4 === 0 ? { packet: bytesOf(`will ${b}`), delaySec: b } : undefined;
    const offlineSinceMs = b % 2 === 0 ? undefined : 1e12 + b;
    const info: StoredSession = {
      number,
      clientId,
      namespace: b % 3 === 0 ? '' : 'n',
      principalId: `p${b % 4}`,
      version: b % 5 === 0 ? 4 : 5,
      expirySec: c,
      offlineSinceMs,
      will,
    };
    return { kind: 'session', session: info, fresh: false };
  }

  #message(a: number, b: number, c: number): StoreChange {
    const count = 1 + (c % Math.min(3, this.#sessions.length));
    const holders = Array.from({ length: count }, (_, i) => this.#holder(a + i, b + i));
    const packet = bytesOf(`message ${a} ${b} ${c}`.padEnd(c % 7 === 0 ? 300 : 20));
    const message = { number: this.#nextMessage, packet, expiresAtMs: b % 2 === 0 ? Infinity : 1e12 + b };
    this.#nextMessage += 1;
    return { kind: 'message', message, holders, ...marked(c, b) };
  }

  /** The lowest free packet id, so that ids are used again as often as can be. */
  #holder(a: number, b: number): Holder {
    const { info, queue, released } = this.#sessions[a % this.#sessions.length]!;
    let packetId = 1;
    while (released.includes(packetId) || queue.some(({ holder }) => holder.packetId === packetId)) packetId += 1;
    const identifiers = b % 3 === 0 ? [b, 1] : undefined;
    const share = b % 4 === 0 ? '$share/g/f/#' : undefined;
    return { session: info.number, packetId, qos: b % 2 === 0 ? 2 : 1, retain: b % 5 === 0, identifiers, share };
  }

  #apply(change: StoreChange): void {
    switch (change.kind) {
      case 'session': {
        const known = this.#sessions.find(({ info }) => info.number === change.session.number);
        if (known !== undefined && !change.fresh) known.info = change.session;
        else {
          const fresh = { info: change.session, subscriptions: [], queue: [], released: [], received: [] };
          if (known === undefined) this.#sessions.push(fresh);
          else Object.assign(known, fresh);
        }
        return;
      }
      case 'session-removed':
        return void this.#sessions.splice(this.#sessions.indexOf(this.#session(change.session)), 1);
      case 'retained':
        return void this.#retained.set(change.topic, { packet: change.packet, expiresAtMs: change.expiresAtMs });
      case 'retained-removed':
        return void this.#retained.delete(change.topic);
      case 'marked':
        return this.#marks.add(change.mark, change.group);
      case 'unmarked':
        return void this.#marks.remove(change.mark);
      case 'message':
        if (change.mark !== undefined) for (const { share = '' } of change.holders) this.#marks.add(change.mark, share);
        for (const holder of change.holders) this.#session(holder.session).queue.push({ message: change.message, holder });
        return;
      case 'held': {
        const all = this.#sessions.flatMap(({ queue }) => queue);
        const held = all.find(({ message }) => message.number === change.message);
        if (change.mark !== undefined) for (const { share = '' } of change.holders) this.#marks.add(change.mark, share);
        if (held === undefined) throw new Error(`no session holds message ${change.message}`);
        for (const holder of change.holders) this.#session(holder.session).queue.push({ message: held.message, holder });
        return;
      }
      default:
        this.#applyTo(this.#session(change.session), change);
    }
  }

  #applyTo(one: ModelSession, change: Exclude<StoreChange, { readonly mark?: unknown }>): void {
    switch (change.kind) {
      case 'subscribed':
      case 'unsubscribed':
        one.subscriptions = one.subscriptions.filter(({ filter }) => filter !== change.filter);
        if (change.kind === 'subscribed') one.subscriptions.push({ filter: change.filter, options: change.options });
        return;
      case 'released':
      case 'settled':
        one.queue = one.queue.filter(({ holder }) => holder.packetId !== change.packetId);
        one.released = one.released.filter((packetId) => packetId !== change.packetId);
        if (change.kind === 'released') one.released.push(change.packetId);
        return;
      case 'received':
      case 'completed':
        one.received = one.received.filter((packetId) => packetId !== change.packetId);
        if (change.kind === 'received') one.received.push(change.packetId);
        return;
      default:
        throw new Error(`${change.kind} is not about one session`);
    }
  }

  #session(number: SessionNumber): ModelSession {
    const session = this.#sessions.find(({ info }) => info.number === number);
    if (session === undefined) throw new Error(`there is no session ${number}`);
    return session;
  }
}

/** The same row of actions for the same seed (mulberry32). */
export function* actionsOf(seed: number): Generator<Action> {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  for (;;) yield { op: next() % ACTIONS, a: next() % 1000, b: next() % 1000, c: next() % 1000 };
}

/** Few, so that each is met again. */
function markOf(b: number): MessageMark {
  return { origin: `p${b % 2}`, session: (1 + (b % 3)) as SessionNumber, packetId: 1 + (b % 5) };
}

function marked(a: number, b: number): { readonly mark?: MessageMark } {
  return a % 2 === 0 ? {} : { mark: markOf(b) };
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
