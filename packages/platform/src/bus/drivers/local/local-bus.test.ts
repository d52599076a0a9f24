import { afterEach, describe, expect, it } from 'vitest';
import { type BusBounds, type BusHarness, busContract, packetOf, RecordingListener } from '../../bus.contract.ts';
import type { PeerId } from '../../bus.ts';
import { LocalBus, newLocalBus } from './local-bus.ts';

/** A message port delivers in a turn of its own. */
async function settled(): Promise<void> {
  for (let i = 0; i < 30; i++) await new Promise(setImmediate);
}

function open(peers: number, bounds?: BusBounds): BusHarness & { control: ReturnType<typeof newLocalBus>['control'] } {
  const { seats, control } = newLocalBus(peers);
  const buses = seats.map((seat) => new LocalBus(seat, bounds));
  return {
    buses,
    control,
    settled,
    peerId: (_of, peer) => peer as PeerId,
    async [Symbol.asyncDispose]() {
      for (const bus of buses) await bus[Symbol.asyncDispose]();
      control[Symbol.dispose]();
    },
  };
}

busContract('message ports', async (peers, bounds) => open(peers, bounds));

describe('the bus between threads', () => {
  let harness: ReturnType<typeof open>;
  afterEach(async () => {
    await harness[Symbol.asyncDispose]();
  });

  it('lets main disconnect a principal', async () => {
    harness = open(2);
    const listeners = harness.buses.map((bus) => {
      const listener = new RecordingListener();
      bus.attach(listener);
      return listener;
    });
    harness.control.disconnectPrincipal('d1');
    await settled();
    expect(listeners.map(({ heard }) => heard)).toEqual([['disconnect d1'], ['disconnect d1']]);
  });

  it('keeps what was sent before a peer listened', async () => {
    harness = open(2);
    const [first, second] = harness.buses;
    first?.attach(new RecordingListener());
    first?.announce('a', 1);
    first?.send(1 as PeerId, packetOf('x'));
    await settled();
    const late = new RecordingListener();
    second?.attach(late);
    await settled();
    expect(late.heard).toEqual(['a of 0: 1', 'deliver x']);
  });

  it('is saturated by a peer that does not listen yet, until it does', async () => {
    harness = open(2, { highBytes: 1_000, maxBytes: 2_000 });
    const [first, second] = harness.buses;
    const listener = new RecordingListener();
    first?.attach(listener);
    const packet = packetOf('x'.repeat(83));
    const sent = Array.from({ length: 30 }, () => first?.send(1 as PeerId, packet));
    expect(sent.filter((taken) => taken === false).length).toBe(10);
    expect(first?.saturated).toBe(true);
    await settled();
    expect(listener.heard).toEqual([]);
    second?.attach(new RecordingListener());
    await settled();
    expect([listener.heard, first?.saturated]).toEqual([['drained'], false]);
    expect(first?.send(1 as PeerId, packet)).toBe(true);
  });

  it('refuses a second answer to one packet: it would stand for another', async () => {
    harness = open(2);
    const [first, second] = harness.buses;
    first?.attach(new RecordingListener());
    const listener = new RecordingListener();
    let again: (() => void) | undefined;
    listener.onReceipt = (answer) => {
      answer(0);
      again = () => answer(0);
    };
    second?.attach(listener);
    first?.send(1 as PeerId, packetOf('x'), { answered: () => {} });
    await settled();
    expect(() => again?.()).toThrow('twice');
  });
});
