import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Action, ACTIONS, OwnerModel } from './owner-model.ts';
import type { Holder, MessageMark, SessionNumber, SessionStore, StoreChange, StoredSession } from './session-store.ts';

export interface SessionStoreHarness extends AsyncDisposable {
  /** Opens by its owner; empty. */
  readonly store: SessionStore;
  /**
   * What a new process finds after a crash at the moment of this call. The store before it is disposed of with the harness,
   * and counts no more.
   */
  crash(): Promise<SessionStore>;
}

export interface SessionStoreHarnessOptions {
  /** A hundred changes of a thousand bytes saturate the store; three hundred are too many. */
  readonly isTight?: boolean;
}

const SESSION: StoredSession = {
  number: 7 as SessionNumber,
  clientId: 'sensor-7',
  namespace: 'ns',
  principalId: 'owner',
  version: 5,
  expirySec: 3600,
  offlineSinceMs: undefined,
  will: { packet: new Uint8Array([1, 2, 3]), delaySec: 5 },
};
const OTHER: StoredSession = { ...SESSION, number: 8 as SessionNumber, clientId: 'sensor-8', version: 4, will: undefined };

/** What every driver of the session store keeps. */
export function sessionStoreContract(
  name: string,
  makeHarness: (options?: SessionStoreHarnessOptions) => Promise<SessionStoreHarness>,
): void {
  describe(`the session store on ${name}`, () => {
    let harness: SessionStoreHarness;
    beforeEach(async () => {
      harness = await makeHarness();
    });
    afterEach(() => harness[Symbol.asyncDispose]());

    const writeAll = async (changes: readonly StoreChange[]): Promise<void> => {
      const owner = new OwnerModel();
      await harness.store.open(owner);
      let last = 0;
      for (const change of changes) last = harness.store.write(change);
      await owner.settled(last);
    };
    const restored = async (): Promise<StoreChange[]> => {
      const changes: StoreChange[] = [];
      const owner = new OwnerModel();
      await (await harness.crash()).open(Object.assign(owner, { restore: (change: StoreChange) => void changes.push(change) }));
      return changes;
    };

    test('restores nothing where nothing was written', async () => {
      await writeAll([]);
      expect(await restored()).toEqual([]);
    });

    test('restores sessions with all they have, then messages, released and received ids, and retained messages', async () => {
      const options = { qos: 2, noLocal: true, retainAsPublished: false, identifier: 268_435_455 } as const;
      const packet = new Uint8Array([0x30, 0, 255]);
      await writeAll([
        { kind: 'retained', topic: 'büro/☃', packet, expiresAtMs: 1_700_000_000_000 },
        { kind: 'session', session: SESSION, fresh: true },
        { kind: 'message', message: { number: 5, packet, expiresAtMs: Infinity }, holders: [holder(7, 1)] },
        { kind: 'session', session: OTHER, fresh: true },
        { kind: 'subscribed', session: SESSION.number, filter: '$share/g/a/+', options },
        {
          kind: 'held',
          message: 5,
          holders: [{ ...holder(8, 65_535), retain: true, identifiers: [1, 300], share: '$share/g/#' }],
        },
        { kind: 'message', message: { number: 6, packet, expiresAtMs: 9 }, holders: [holder(8, 3)] },
        { kind: 'released', session: OTHER.number, packetId: 3 },
        { kind: 'received', session: OTHER.number, packetId: 4 },
      ]);
      expect(await restored()).toEqual([
        { kind: 'session', session: SESSION, fresh: true },
        { kind: 'subscribed', session: SESSION.number, filter: '$share/g/a/+', options },
        { kind: 'session', session: OTHER, fresh: true },
        {
          kind: 'message',
          message: { number: 5, packet, expiresAtMs: Infinity },
          holders: [holder(7, 1), { ...holder(8, 65_535), retain: true, identifiers: [1, 300], share: '$share/g/#' }],
        },
        { kind: 'released', session: OTHER.number, packetId: 3 },
        { kind: 'received', session: OTHER.number, packetId: 4 },
        { kind: 'retained', topic: 'büro/☃', packet, expiresAtMs: 1_700_000_000_000 },
      ]);
    });

    test('forgets what was settled, completed, unsubscribed, removed, or had before it began anew', async () => {
      const message = (number: number): StoreChange & { kind: 'message' } => ({
        kind: 'message',
        message: { number, packet: new Uint8Array(number), expiresAtMs: Infinity },
        holders: [holder(7, number), holder(8, number)],
      });
      const options = { qos: 1, noLocal: false, retainAsPublished: false, identifier: 0 } as const;
      await writeAll([
        { kind: 'session', session: SESSION, fresh: true },
        { kind: 'subscribed', session: SESSION.number, filter: 'a', options },
        { kind: 'received', session: SESSION.number, packetId: 9 },
        { kind: 'session', session: OTHER, fresh: true },
        message(1),
        message(2),
        message(3),
        { kind: 'settled', session: SESSION.number, packetId: 1 },
        { kind: 'settled', session: OTHER.number, packetId: 1 },
        { kind: 'released', session: OTHER.number, packetId: 2 },
        { kind: 'settled', session: OTHER.number, packetId: 2 },
        { kind: 'session', session: { ...SESSION, expirySec: 1 }, fresh: true },
        { kind: 'received', session: OTHER.number, packetId: 5 },
        { kind: 'completed', session: OTHER.number, packetId: 5 },
        { kind: 'subscribed', session: OTHER.number, filter: 'b', options },
        { kind: 'unsubscribed', session: OTHER.number, filter: 'b' },
        { kind: 'session', session: { ...OTHER, number: 9 as SessionNumber }, fresh: true },
        { kind: 'session-removed', session: 9 as SessionNumber },
        { kind: 'retained', topic: 't', packet: new Uint8Array(1), expiresAtMs: 1 },
        { kind: 'retained-removed', topic: 't' },
      ]);
      expect(await restored()).toEqual([
        { kind: 'session', session: { ...SESSION, expirySec: 1 }, fresh: true },
        { kind: 'session', session: OTHER, fresh: true },
        { ...message(3), holders: [holder(8, 3)] },
      ]);
    });

    test('keeps the marks of messages, for each group, until they are taken back, whatever becomes of the messages', async () => {
      const mark = (packetId: number): MessageMark => ({ origin: 'ns\0p', session: 3 as SessionNumber, packetId });
      const message = (number: number): StoreChange & { kind: 'message' } => ({
        kind: 'message',
        message: { number, packet: new Uint8Array(number), expiresAtMs: Infinity },
        holders: [holder(7, number)],
        mark: mark(number),
      });
      await writeAll([
        { kind: 'session', session: SESSION, fresh: true },
        message(1),
        { kind: 'held', message: 1, holders: [{ ...holder(7, 9), share: '$share/g/#' }], mark: mark(1) },
        message(2),
        message(3),
        { kind: 'settled', session: SESSION.number, packetId: 1 },
        { kind: 'settled', session: SESSION.number, packetId: 9 },
        { kind: 'settled', session: SESSION.number, packetId: 2 },
        { kind: 'unmarked', mark: mark(2) },
        { kind: 'unmarked', mark: { ...mark(1), session: 4 as SessionNumber } },
        { kind: 'unmarked', mark: { ...mark(1), origin: 'other' } },
        { kind: 'session-removed', session: SESSION.number },
      ]);
      expect(await restored()).toEqual([
        { kind: 'marked', mark: mark(1), group: '' },
        { kind: 'marked', mark: mark(1), group: '$share/g/#' },
        { kind: 'marked', mark: mark(3), group: '' },
      ]);
    });

    test('keeps the order of each session, also where two have the same messages in different orders', async () => {
      const message = (number: number, ...holders: Holder[]): StoreChange => ({
        kind: 'message',
        message: { number, packet: new Uint8Array([number]), expiresAtMs: Infinity },
        holders,
      });
      await writeAll([
        { kind: 'session', session: SESSION, fresh: true },
        { kind: 'session', session: OTHER, fresh: true },
        message(1, holder(7, 1)),
        message(2, holder(7, 2), holder(8, 1)),
        message(3, holder(8, 2)),
        { kind: 'held', message: 1, holders: [holder(8, 3)] },
        { kind: 'settled', session: OTHER.number, packetId: 2 },
        message(4, holder(8, 2)),
      ]);
      const orders = new Map<number, number[]>([
        [7, []],
        [8, []],
      ]);
      for (const change of await restored()) {
        if (change.kind !== 'message' && change.kind !== 'held') continue;
        const number = change.kind === 'held' ? change.message : change.message.number;
        for (const { session } of change.holders) orders.get(session)!.push(number);
      }
      expect([...orders.values()]).toEqual([
        [1, 2],
        [2, 1, 4],
      ]);
    });

    test('ignores changes about sessions and messages that it does not know', async () => {
      const one = { session: SESSION.number, packetId: 1 };
      const options = { qos: 1, noLocal: false, retainAsPublished: false, identifier: 0 } as const;
      await writeAll([
        { kind: 'subscribed', session: SESSION.number, filter: 'a', options },
        { kind: 'unsubscribed', session: SESSION.number, filter: 'a' },
        { kind: 'message', message: { number: 1, packet: new Uint8Array(1), expiresAtMs: 1 }, holders: [holder(7, 1)] },
        { kind: 'session', session: OTHER, fresh: false },
        { kind: 'held', message: 1, holders: [holder(8, 1)] },
        { kind: 'released', ...one },
        { kind: 'settled', ...one },
        { kind: 'received', ...one },
        { kind: 'completed', ...one },
        { kind: 'session-removed', session: SESSION.number },
        { kind: 'retained-removed', topic: 't' },
      ]);
      expect(await restored()).toEqual([{ kind: 'session', session: OTHER, fresh: true }]);
    });

    test('counts tickets from 1, settles each once in their order, and never from within write', async () => {
      const owner = new OwnerModel();
      await harness.store.open(owner);
      const tickets = [1, 2, 3].map((i) => harness.store.write(owner.retain('t', String(i))));
      expect(owner.events).toEqual([]);
      await owner.settled(3);
      tickets.push(harness.store.write(owner.retain('t', '4')));
      await owner.settled(4);
      expect(tickets).toEqual([1, 2, 3, 4]);
      expect(owner.events.every((event) => 'durable' in event)).toBe(true);
      expect(owner.events.at(-1)).toEqual({ durable: 4 });
    });

    test('encodes a change at once: its bytes may be used again', async () => {
      const owner = new OwnerModel();
      await harness.store.open(owner);
      const packet = new Uint8Array([1, 2, 3]);
      const ticket = harness.store.write({ kind: 'retained', topic: 't', packet, expiresAtMs: 1 });
      packet.fill(9);
      await owner.settled(ticket);
      expect(await restored()).toMatchObject([{ packet: new Uint8Array([1, 2, 3]) }]);
    });

    test('settles all that was written before it closes, and takes nothing after', async () => {
      const owner = new OwnerModel();
      await harness.store.open(owner);
      for (let i = 1; i <= 100; i += 1) harness.store.write(owner.retain('t', String(i)));
      await harness.store[Symbol.asyncDispose]();
      expect(owner.events.at(-1)).toEqual({ durable: 100 });
      expect(() => harness.store.write(owner.retain('t', 'x'))).toThrow(expect.objectContaining({ code: 'log.closed' }));
    });

    test('says when it is saturated, refuses what goes far beyond, and says when it has drained', async () => {
      await using tight = await makeHarness({ isTight: true });
      const owner = new OwnerModel();
      await tight.store.open(owner);
      let ticket = 0;
      const fill = (count: number): void => {
        for (let i = 0; i < count; i += 1) ticket = tight.store.write(owner.retain('t', String(i).padEnd(1000)));
      };
      fill(50);
      expect(tight.store.saturated).toBe(false);
      fill(60);
      expect(tight.store.saturated).toBe(true);
      expect(() => fill(200)).toThrow(expect.objectContaining({ code: 'log.failed', retryable: true }));
      await owner.settled(ticket);
      expect(owner.events.at(-1)).toEqual({ drained: true });
      expect(tight.store.saturated).toBe(false);
      const next = tight.store.write(owner.retain('t', 'x'));
      expect(next).toBe(ticket + 1);
      await owner.settled(next);
    });

    test('comes back with what its owner had at a durable ticket, whatever happened and whenever it crashes', async () => {
      const action: fc.Arbitrary<Action> = fc.record({ op: fc.nat(ACTIONS - 1), a: fc.nat(99), b: fc.nat(99), c: fc.nat(99) });
      const life = fc.record({
        actions: fc.array(action, { minLength: 5, maxLength: 150 }),
        turns: fc.integer({ min: 1, max: 20 }),
        crashAt: fc.double({ min: 0, max: 1, noNaN: true }),
      });
      const property = fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 4 }), async (lives) => {
        await using own = await makeHarness();
        let { store } = own;
        let owner = new OwnerModel();
        await store.open(owner);
        for (const { actions, turns, crashAt } of lives) {
          const texts = [owner.text()];
          const crashTicket = Math.floor(actions.length * crashAt);
          let crashed: Promise<SessionStore> | undefined;
          let at = 0;
          owner.onSettled = (upTo) => {
            if (upTo < crashTicket || crashed !== undefined) return;
            at = upTo;
            crashed = own.crash();
          };
          for (const [i, next] of actions.entries()) {
            const change = owner.act(next);
            if (change !== undefined) texts[store.write(change)] = owner.text();
            // Some changes wait together, and some find the store at rest.
            if (i % turns === 0) await (i % 2 === 0 ? owner.settled(texts.length - 1) : turn());
            if (crashed !== undefined) break;
          }
          if (crashed === undefined) await owner.settled(texts.length - 1);
          if (crashed === undefined) at = texts.length - 1;
          const before = owner;
          store = await (crashed ?? own.crash());
          before.onSettled = () => undefined;
          owner = new OwnerModel();
          await store.open(owner);
          expect(texts.slice(at)).toContain(owner.text());
        }
      });
      await fc.assert(property, { numRuns: 25 });
    });
  });
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function holder(session: number, packetId: number): Holder {
  return { session: session as SessionNumber, packetId, qos: 2, retain: false, identifiers: undefined, share: undefined };
}
