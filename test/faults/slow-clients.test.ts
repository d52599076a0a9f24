import { setTimeout as pause } from 'node:timers/promises';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HeldMemory } from '../harness/held-memory.ts';
import { RawClient } from '../harness/mqtt-client.ts';
import { eventually, Selsyn } from '../harness/selsyn.ts';

const MIB = 1_048_576;
/** Much less than what the bad clients of a test cause. */
const GROWTH_BYTES = 32 * MIB;
const LARGE = 'x'.repeat(16_384);

/** Two clients that do all right: one publishes a number, the other hears it, and only then comes the next. */
class HealthyPair implements Disposable {
  roundTrips = 0;
  readonly #running: Promise<void>;
  readonly #clients: readonly RawClient[];
  #stopped = false;

  private constructor(publisher: RawClient, subscriber: RawClient) {
    this.#clients = [publisher, subscriber];
    this.#running = this.#run(publisher, subscriber);
    this.#running.catch(() => {});
  }

  static async start(port: number): Promise<HealthyPair> {
    const [publisher, subscriber] = await Promise.all([RawClient.connect({ port }), RawClient.connect({ port })]);
    await subscriber.subscribe([{ filter: 'healthy', qos: 1 }]);
    return new HealthyPair(publisher, subscriber);
  }

  /** That many more, which a server that is held up by others would not do. */
  async goesOn(roundTrips = 200): Promise<void> {
    const goal = this.roundTrips + roundTrips;
    await Promise.race([this.#running, eventually(async () => (this.roundTrips >= goal ? true : undefined))]);
    expect(this.roundTrips).toBeGreaterThanOrEqual(goal);
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    for (const client of this.#clients) client.destroy();
  }

  async #run(publisher: RawClient, subscriber: RawClient): Promise<void> {
    for (let n = 0; !this.#stopped; n += 1) {
      const heard = new Promise<void>((resolve) => {
        subscriber.onPacket = (packet) => {
          if (packet.type === 'publish' && packet.text === String(n)) resolve();
        };
      });
      await publisher.publish('healthy', String(n), { qos: 1 });
      await heard;
      this.roundTrips += 1;
    }
  }
}

describe('slow and silent clients', () => {
  let selsyn: Selsyn;
  let pair: HealthyPair;
  const held = new HeldMemory();
  let restingBytes = 0;

  beforeAll(async () => {
    selsyn = await Selsyn.start({
      nodeOptions: held.nodeOptions,
      settings: ['access.mode=open', 'gateway.threads=1', 'mqtt.maxQueuedMessages=200'],
    });
    pair = await HealthyPair.start(selsyn.mqttPort);
    await pair.goesOn();
    restingBytes = await held.bytes(selsyn.pid);
  });
  afterAll(async () => {
    using _held = held;
    await using _server = selsyn;
    pair[Symbol.dispose]();
  });

  const closedFor = async (reason: string): Promise<number> => {
    const text = await (await selsyn.fetch('/metrics')).text();
    const lines = text.matchAll(/^selsyn_mqtt_sessions_closed_total\{(.*)\} (\d+)$/gm);
    return [...lines]
      .filter(([, labels]) => labels?.includes(`"${reason}"`))
      .reduce((sum, [, , count]) => sum + Number(count), 0);
  };
  const expectBounded = async (): Promise<void> => {
    const grownBytes = (await held.bytes(selsyn.pid)) - restingBytes;
    expect(grownBytes, 'bytes held more than at rest').toBeLessThan(GROWTH_BYTES);
  };

  it('a subscriber with a clean session that stops reading is cut off, and told why', async () => {
    using subscriber = await RawClient.connect({ port: selsyn.mqttPort });
    using publisher = await RawClient.connect({ port: selsyn.mqttPort });
    await subscriber.subscribe([{ filter: 'slow/clean', qos: 1 }]);
    const before = await closedFor('slow-subscriber');
    subscriber.pause();
    for (let n = 0; n < 4_000 && (await closedFor('slow-subscriber')) === before; n += 50) {
      await Promise.all(Array.from({ length: 50 }, async () => await publisher.publish('slow/clean', LARGE, { qos: 1 })));
    }
    expect(await closedFor('slow-subscriber')).toBe(before + 1);
    subscriber.resume();
    await subscriber.closed;
    expect(subscriber.disconnected?.reasonCode).toBe(0x97);
    await pair.goesOn();
    await expectBounded();
  });

  it('QoS 0 for one that does not read is dropped, without memory and without harm to its publisher', async () => {
    using subscriber = await RawClient.connect({ port: selsyn.mqttPort });
    using publisher = await RawClient.connect({ port: selsyn.mqttPort });
    await subscriber.subscribe([{ filter: 'slow/zero' }]);
    subscriber.pause();
    for (let n = 0; n < 20_000; n += 100) {
      for (let i = 0; i < 100; i += 1) await publisher.publish('slow/zero', LARGE);
      await publisher.ping();
    }
    await pair.goesOn();
    await expectBounded();
    // It was only slow.
    const heard = new Promise<void>((resolve) => {
      subscriber.onPacket = (packet) => packet.type === 'publish' && packet.text === 'last' && resolve();
    });
    subscriber.resume();
    await subscriber.ping();
    await publisher.publish('slow/zero', 'last');
    await heard;
  });

  for (const how of ['stops reading', 'never acknowledges'] as const) {
    it(`a persistent subscriber that ${how} fills its queue: publishers are refused, and what was acknowledged is there`, async () => {
      const { mqttPort: port } = selsyn;
      const topic = `slow/${how.replace(' ', '-')}`;
      const session = { clientId: topic, cleanStart: false, properties: { sessionExpirySec: 600 } };
      using subscriber = await RawClient.connect({ port, acknowledges: false, connect: session });
      await subscriber.subscribe([{ filter: topic, qos: 2 }]);
      if (how === 'stops reading') subscriber.pause();

      using publisher = await RawClient.connect({ port });
      const acknowledged: string[] = [];
      const refused: string[] = [];
      for (let n = 0; n < 12_000 && refused.length < 20; n += 10) {
        await Promise.all(
          Array.from({ length: 10 }, async (_, i) => {
            const text = `${n + i}:${LARGE}`;
            const code = await publisher.publish(topic, text, { qos: ((i % 2) + 1) as 1 | 2 });
            if (code !== 0) expect(code).toBe(0x97);
            (code === 0 ? acknowledged : refused).push(String(n + i));
          }),
        );
      }
      expect(refused.length).toBeGreaterThanOrEqual(20);
      expect(acknowledged.length).toBeGreaterThanOrEqual(200);

      // 3.1.1 has no way to be told, but to be cut off.
      using old = await RawClient.connect({ port, version: 4 });
      await expect(old.publish(topic, LARGE, { qos: 1 })).rejects.toThrow('closed');
      await pair.goesOn();
      await expectBounded();

      subscriber.destroy();
      const heard = new Set<string>();
      using again = await RawClient.connect({
        port,
        connect: session,
        onPacket: (packet) => void (packet.type === 'publish' && heard.add(packet.text.split(':')[0] ?? '')),
      });
      expect(again.connack.sessionPresent).toBe(true);
      await eventually(async () => (heard.size >= acknowledged.length ? true : undefined));
      const byNumber = (a: string, b: string): number => Number(a) - Number(b);
      expect([...heard].toSorted(byNumber)).toEqual(acknowledged.toSorted(byNumber));
      // The queue has room again.
      expect(await publisher.publish(topic, 'more', { qos: 1 })).toBe(0);
    });
  }

  it('a subscriber with a clean session that never acknowledges gets no more than its window, and is cut off at last', async () => {
    const { mqttPort: port } = selsyn;
    let heard = 0;
    using subscriber = await RawClient.connect({
      port,
      acknowledges: false,
      connect: { properties: { receiveMaximum: 5 } },
      onPacket: (packet) => void (packet.type === 'publish' && (heard += 1)),
    });
    await subscriber.subscribe([{ filter: 'slow/window', qos: 1 }]);
    using publisher = await RawClient.connect({ port });
    for (let n = 0; n < 300 && subscriber.isOpen; n += 1) await publisher.publish('slow/window', 'x', { qos: 1 });
    await Promise.race([subscriber.closed, pause(10_000)]);
    expect([heard, subscriber.disconnected?.reasonCode]).toEqual([5, 0x97]);
    await pair.goesOn();
  });

  const floods = {
    'QoS 1 messages': encodePacket({ type: 'publish', topic: 'f', payload: new Uint8Array(1), qos: 1, packetId: 7 }, 4),
    pings: encodePacket({ type: 'pingreq' }, 4),
    unsubscriptions: encodePacket({ type: 'unsubscribe', packetId: 9, filters: ['nothing'] }, 4),
  };
  for (const [what, packet] of Object.entries(floods)) {
    it(`a client that sends ${what} and never reads an answer is not served without bound`, async () => {
      const FLOOD_BYTES = 48 * MIB;
      using client = await RawClient.connect({ port: selsyn.mqttPort, version: 4 });
      client.pause();
      const batch = Buffer.concat(Array.from({ length: 4_096 }, () => packet));
      let sentBytes = 0;
      let stuckMs = 0;
      while (client.isOpen && sentBytes < FLOOD_BYTES && stuckMs < 2_000) {
        if (client.socket.writableLength < MIB) {
          client.sendBytes(batch);
          sentBytes += batch.length;
          stuckMs = 0;
        } else stuckMs += 5;
        await pause(client.socket.writableLength < MIB ? 0 : 5);
      }
      // It is either not read any more, or cut off: not answered into a buffer that grows.
      const served = client.isOpen && stuckMs < 2_000;
      expect(served, `${sentBytes} bytes were taken without one answer being read`).toBe(false);
      await pair.goesOn();
      await expectBounded();
    });
  }

  it('half-open connections, a CONNECT of a byte a second and a client that fell silent are closed', async () => {
    const { mqttPort: port } = selsyn;
    const CONNECT = encodePacket(
      {
        type: 'connect',
        version: 4,
        clientId: 'a-client-that-takes-its-time',
        cleanStart: true,
        keepAliveSec: 0,
        username: undefined,
        password: undefined,
        will: undefined,
        properties: {},
      },
      4,
    );
    const halfOpen = await Promise.all(Array.from({ length: 100 }, async () => await RawClient.open({ port })));
    const drips = await Promise.all(Array.from({ length: 100 }, async () => await RawClient.open({ port })));
    const silent = await Promise.all(
      Array.from({ length: 20 }, async () => await RawClient.connect({ port, connect: { keepAliveSec: 1 } })),
    );
    let at = 0;
    const dripping = setInterval(() => {
      for (const client of drips) if (client.isOpen) client.sendBytes(CONNECT.subarray(at, at + 1));
      if (drips.some(({ isOpen }) => isOpen)) at += 1;
    }, 1_000);
    try {
      const all = [...halfOpen, ...drips, ...silent];
      // The deadline of a CONNECT is 10 s, that of the silent 1.5 s.
      await eventually(async () => (all.every(({ isOpen }) => !isOpen) ? true : undefined));
      expect(at).toBeLessThan(CONNECT.length);
      for (const client of silent) expect(client.disconnected?.reasonCode).toBe(0x8d);
    } finally {
      clearInterval(dripping);
    }
    await pair.goesOn();
    await expectBounded();
  });
});
