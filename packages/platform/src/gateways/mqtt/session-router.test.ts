import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectOf } from '../../broker/broker.fixture.ts';
import type { Transport } from '../../broker/transport.ts';
import type { PeerId } from '../../bus/bus.ts';
import { slotOf } from '../../bus/slot.ts';
import { FakeClock } from '../../kernel/fake-clock.ts';
import type { PeekableTransport } from './peekable-transport.ts';
import { EchoBroker, FakeTransport } from './relay.fixture.ts';
import { type RoutedThreads, SessionRouter } from './session-router.ts';

const THREADS = 3;
const SELF = 1 as PeerId;

/** A client id whose home is this thread of three. */
function idAtHomeIn(thread: number): string {
  for (let i = 0; ; i++) if (slotOf(`id-${i}`) % THREADS === thread) return `id-${i}`;
}

function connectBytes(clientId: string, cleanStart: boolean): Uint8Array {
  return encodePacket(connectOf(4, { clientId, cleanStart }), 4);
}

describe('the router of sessions', () => {
  let clock: FakeClock;
  let broker: EchoBroker;
  let relayed: { peer: PeerId; transport: PeekableTransport; text: string }[];
  let router: SessionRouter;

  const open = (changes: Partial<RoutedThreads> = {}): void => {
    relayed = [];
    broker = new EchoBroker();
    clock = new FakeClock();
    router = new SessionRouter({
      broker,
      clock,
      others: {
        bus: { self: SELF, homeOf: (slot) => (slot % THREADS) as PeerId },
        relay: {
          relay: (peer, transport, bytes) => relayed.push({ peer, transport, text: Buffer.from(bytes).toString('latin1') }),
        },
        count: THREADS,
        listensAlone: false,
        maxPacketBytes: 100_000,
        connectDeadlineMs: 10_000,
        ...changes,
      },
    });
  };
  const connected = (...chunks: readonly (Uint8Array | string)[]): FakeTransport => {
    const transport = new FakeTransport();
    router.accept(transport);
    for (const chunk of chunks) transport.send(chunk);
    return transport;
  };
  beforeEach(() => open());
  afterEach(() => router[Symbol.dispose]());

  it('hands everything to the broker where there is one thread', () => {
    const accepted: Transport[] = [];
    const alone = new SessionRouter({
      broker: { accept: (transport) => accepted.push(transport), counters: broker.counters },
      others: undefined,
      clock,
    });
    const transport = new FakeTransport();
    alone.accept(transport);
    expect(accepted).toEqual([transport]);
  });

  it('serves here what is at home here or ends with its connection, and steps out of the way', () => {
    const connect = connectBytes(idAtHomeIn(1), false);
    const home = connected(Buffer.concat([connect, Buffer.from('more')]));
    const clean = connected(connectBytes(idAtHomeIn(2), true));
    expect([relayed.length, broker.served.length, router.undecidedCount]).toEqual([0, 2, 0]);
    expect(broker.served[0]?.text).toBe(`${Buffer.from(connect).toString('latin1')}more`);
    expect([home.attached, clean.attached]).toEqual(broker.served);
    expect(broker.served[0]?.transport).toBe(home);
    home.send(' and more');
    expect(broker.served[0]?.text.endsWith('more and more')).toBe(true);
  });

  it('relays a session that lasts to its home, with all that came, however it was cut', () => {
    const bytes = Buffer.concat([connectBytes(idAtHomeIn(2), false), Buffer.from('more')]);
    const text = bytes.toString('latin1');
    connected(bytes);
    for (let cut = 1; cut < bytes.length; cut++) {
      const transport = connected(bytes.subarray(0, cut));
      if (relayed.at(-1)?.transport !== transport) transport.send(bytes.subarray(cut));
      else expect(text.startsWith(relayed.at(-1)?.text ?? '-')).toBe(true);
    }
    connected(...Array.from(bytes, (byte) => Uint8Array.of(byte)));
    expect(relayed.length).toBe(bytes.length + 1);
    expect(relayed.every(({ peer }) => peer === 2)).toBe(true);
    expect(relayed[0]?.text).toBe(text);
    expect([broker.served.length, router.undecidedCount]).toEqual([0, 0]);
  });

  it('leaves what is no CONNECT, or too large, to the broker here', () => {
    connected('GET / HTTP/1.1\r\n');
    connected(Buffer.from('10ffffff7f', 'hex'));
    expect([relayed.length, broker.served.length]).toEqual([0, 2]);
  });

  it('closes a connection that never says where it belongs, each at its own time', () => {
    const silent = connected();
    clock.advance(5_000);
    const half = connected(Uint8Array.of(0x10));
    clock.advance(4_999);
    expect([silent.calls, half.calls, router.undecidedCount]).toEqual([[], [], 2]);
    clock.advance(1);
    expect([silent.calls, half.calls, broker.counters.connectTimeouts]).toEqual([['destroy'], [], 1]);
    half.send(Uint8Array.of(0x0c));
    clock.advance(5_000);
    expect([half.calls, broker.counters.connectTimeouts, router.undecidedCount]).toEqual([['destroy'], 2, 0]);
    half.send(connectBytes('c', true).subarray(2));
    expect(broker.served.length).toBe(0);
  });

  it('ends a connection whose client ends before it has said anything, and forgets it when it is closed', async () => {
    const leaving = connected();
    leaving.clientEnds();
    expect(leaving.calls).toEqual(['end']);
    leaving.destroy();
    await new Promise(setImmediate);
    expect([router.undecidedCount, broker.served.length]).toEqual([0, 0]);
  });

  it('closes what is undecided when it closes, and takes no more', () => {
    const silent = connected();
    router[Symbol.dispose]();
    expect([silent.calls, connected().calls]).toEqual([['destroy'], ['destroy']]);
  });

  it('hands round what may be served anywhere where this thread alone listens', () => {
    open({ listensAlone: true });
    for (let i = 0; i < 6; i++) connected(connectBytes(`clean-${i}`, true));
    expect(relayed.map(({ peer }) => peer)).toEqual([2, 0, 2, 0]);
    expect(broker.served.length).toBe(2);
    connected(connectBytes(idAtHomeIn(0), false));
    connected(connectBytes(idAtHomeIn(1), false));
    connected('GET / HTTP/1.1\r\n');
    expect([relayed.at(-1)?.peer, relayed.length, broker.served.length]).toEqual([0, 5, 4]);
  });

  it('hands round what comes by the Unix socket, on which one thread listens', () => {
    for (let i = 0; i < 3; i++) {
      const transport = new FakeTransport({ door: 'unix' });
      router.accept(transport);
      transport.send(connectBytes(`clean-${i}`, true));
    }
    expect(relayed.map(({ peer }) => peer)).toEqual([2, 0]);
    expect(broker.served.length).toBe(1);
  });
});
