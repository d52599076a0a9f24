import { connectAsync, type MqttClient } from 'mqtt';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually, Selsyn } from '../harness/selsyn.ts';

const ROUNDS = Number(process.env['SELSYN_KILL_ROUNDS'] ?? 50);
const DEVICES = 8;
const FIRST_MS = Date.now() - 3_600_000;

/** One device's publisher: message n carries time FIRST_MS + n and value n; it remembers what was acknowledged. */
class Publisher {
  readonly id: string;
  readonly acknowledged = new Set<number>();
  sent = 0;

  constructor(id: string) {
    this.id = id;
  }

  /** Publishes as fast as the window allows until the connection breaks. */
  async run(client: MqttClient): Promise<void> {
    const WINDOW = 50;
    let open = true;
    client.on('close', () => (open = false));
    const inFlight = new Set<Promise<unknown>>();
    while (open) {
      const n = this.sent++;
      const publish = client
        .publishAsync(`telemetry/${this.id}`, JSON.stringify({ ts: FIRST_MS + n, n, even: n % 2 === 0 }), { qos: 1 })
        .then(() => this.acknowledged.add(n))
        .catch(() => {})
        .finally(() => inFlight.delete(publish));
      inFlight.add(publish);
      if (inFlight.size >= WINDOW) await Promise.race([...inFlight, pause(200)]);
      if (inFlight.size >= WINDOW && !client.connected) break;
    }
  }
}

describe('kill -9 under load, again and again', () => {
  it(
    `loses no acknowledged point and counts none twice, in ${ROUNDS} rounds`,
    async () => {
      // Small segments and early seals, so that kills also hit the roll of a segment and the commit of chunks.
      await using selsyn = await Selsyn.start({
        settings: ['access.mode=open', 'log.segmentBytes=1048576', 'telemetry.sealAfterSec=1'],
      });
      const publishers = Array.from({ length: DEVICES }, (_, index) => new Publisher(`device-${index}`));
      const acknowledged = (): number => publishers.reduce((sum, one) => sum + one.acknowledged.size, 0);
      for (let round = 0; round < ROUNDS; round += 1) {
        const clients = await Promise.all(
          publishers.map(
            async ({ id }) => await connectAsync(selsyn.mqttUrl, { clientId: id, reconnectPeriod: 0, protocolVersion: 4 }),
          ),
        );
        const running = clients.map(async (client, index) => {
          client.on('error', () => {});
          await publishers[index]?.run(client);
        });
        await pause(50 + Math.random() * 350);
        // There is to be something to lose, also where all goes slowly.
        await eventually(async () => (acknowledged() > (round + 1) * 100 ? true : undefined));
        await selsyn.end('SIGKILL');
        await Promise.all(running);
        for (const client of clients) client.end(true);
        await selsyn.restart();
        const checked = publishers[round % DEVICES];
        if (checked !== undefined) await expectComplete(selsyn, checked);
      }
      for (const publisher of publishers) await expectComplete(selsyn, publisher);
      expect(acknowledged()).toBeGreaterThan(ROUNDS * 100);
    },
    ROUNDS * 30_000,
  );
});

async function expectComplete(selsyn: Selsyn, publisher: Publisher): Promise<void> {
  const path = `/api/v1/devices/${publisher.id}/telemetry`;
  const { n = [], even = [] } = await selsyn.get<{ n?: [number, number][]; even?: [number, boolean][] }>(`${path}?limit=1000000`);
  const found = new Map(n);
  expect(found.size, 'no time is given twice').toBe(n.length);
  const lost = [...publisher.acknowledged].filter((sent) => found.get(FIRST_MS + sent) !== sent);
  expect(lost, `acknowledged points of ${publisher.id} that are gone`).toEqual([]);
  for (const [timeMs, value] of n) expect(timeMs - FIRST_MS).toBe(value);
  expect(even.map(([timeMs, value]) => [timeMs, value])).toEqual(n.map(([timeMs, value]) => [timeMs, value % 2 === 0]));
  const counted = await selsyn.get<{ n?: [number, number][] }>(`${path}?metrics=n&every=1d&fn=count`);
  expect((counted.n ?? []).reduce((sum, [, count]) => sum + count, 0)).toBe(n.length);
}
