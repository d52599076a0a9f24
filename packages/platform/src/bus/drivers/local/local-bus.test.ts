import { afterEach, describe, expect, it } from 'vitest';
import { type BusHarness, busContract, RecordingListener } from '../../bus.contract.ts';
import type { PeerId } from '../../bus.ts';
import { LocalBus, newLocalBus } from './local-bus.ts';

/** A message port delivers in a turn of its own. */
async function settled(): Promise<void> {
  for (let i = 0; i < 30; i++) await new Promise(setImmediate);
}

function open(
  peers: number,
  limits?: { highBytes: number; maxBytes: number },
): BusHarness & { control: ReturnType<typeof newLocalBus>['control'] } {
  const { seats, control } = newLocalBus(peers);
  const buses = seats.map((seat) => new LocalBus(seat, limits));
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

busContract('message ports', async (peers) => open(peers));

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
    first?.announce('a', true);
    await settled();
    const late = new RecordingListener();
    second?.attach(late);
    await settled();
    expect(late.heard).toEqual(['+a of 0']);
  });

  it('is saturated while a peer lags, drops beyond the bound, and says when it has drained', async () => {
    harness = open(2, { highBytes: 1_000, maxBytes: 2_000 });
    const [first, second] = harness.buses;
    const listener = new RecordingListener();
    first?.attach(listener);
    const packet = Buffer.alloc(95);
    const sent = Array.from({ length: 30 }, () => first?.send(1 as PeerId, 'deliver', packet));
    expect(sent.filter((taken) => taken === false).length).toBe(10);
    expect(first?.saturated).toBe(true);
    await settled();
    expect(listener.heard).toEqual([]);
    second?.attach(new RecordingListener());
    await settled();
    expect([listener.heard, first?.saturated]).toEqual([['drained'], false]);
    expect(first?.send(1 as PeerId, 'deliver', packet)).toBe(true);
  });
});
