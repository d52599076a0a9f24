import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Random } from '../harness/random.ts';
import type { ConnectedClient } from '../harness/threads.ts';
import { PERSISTENT, Threads } from '../harness/threads.ts';
import { eventually } from '../harness/selsyn.ts';

const CLIENTS = 1_000;

describe('connections whose sessions live in another thread than their sockets', () => {
  it('are served a thousand at once, and end where they should', async () => {
    await using threads = await Threads.start(3);
    const counts = new Map<string, number>();
    const clients: ConnectedClient[] = [];
    for (let from = 0; from < CLIENTS; from += 50) {
      const some = Array.from({ length: 50 }, async (_, n) => {
        const id = `relayed-${from + n}`;
        const client = await threads.connect(id, {
          connect: PERSISTENT,
          onPacket: (packet) => void (packet.type === 'publish' && counts.set(id, (counts.get(id) ?? 0) + 1)),
        });
        await client.subscribe([
          { filter: `to/${id}`, qos: 1 },
          { filter: 'to/all', qos: 2 },
        ]);
        return client;
      });
      clients.push(...(await Promise.all(some)));
    }
    // Each to another one, and a few to all.
    await Promise.all(
      clients.map(async (client, n) => {
        for (let round = 0; round < 3; round += 1) {
          const to = `to/relayed-${(n * 7 + round) % CLIENTS}`;
          expect(await client.publish(to, 'hello', { qos: round === 0 ? 2 : 1 })).toBe(0);
        }
      }),
    );
    for (let n = 0; n < 3; n += 1) expect(await clients[n]?.publish('to/all', 'all', { qos: 2 })).toBe(0);
    await eventually(async () => ([...counts.values()].reduce((sum, count) => sum + count, 0) >= 6 * CLIENTS ? true : undefined));
    await pause(50);
    expect([counts.size, new Set(counts.values())]).toEqual([CLIENTS, new Set([6])]);

    // Half of them go with a word, half without; all come back at once.
    await Promise.all(clients.map(async (client, n) => (n % 2 === 0 ? await client.disconnect() : client.destroy())));
    await eventually(async () => {
      const states = [...(await threads.metric('selsyn_mqtt_sessions', 'offline')).values()];
      return states.reduce((sum, count) => sum + count, 0) === CLIENTS ? true : undefined;
    });
    const back = await Promise.all(
      Array.from({ length: CLIENTS }, async (_, n) => await threads.connect(`relayed-${n}`, { connect: PERSISTENT })),
    );
    expect(back.every(({ connack }) => connack.sessionPresent)).toBe(true);
    for (const client of back) client.destroy();
    await eventually(async () => {
      const open = [...(await threads.metric('selsyn_mqtt_connections')).values()];
      return open.every((count) => count === 0) ? true : undefined;
    });
  });

  it('that read slowly, or not at all, hold up nobody else, and get everything in the end', async () => {
    await using threads = await Threads.start(3, ['mqtt.maxQueuedMessages=5000']);
    const random = Random.ofRun('relayed clients that read slowly');
    const heard = new Map<string, string[]>();
    const slow: ConnectedClient[] = [];
    for (const thread of [...threads.all, ...threads.all, ...threads.all]) {
      const id = threads.nameAt(thread, `slow-${slow.length}-`);
      const texts: string[] = [];
      heard.set(id, texts);
      const client = await threads.connect(id, {
        connect: PERSISTENT,
        onPacket: (packet) => void (packet.type === 'publish' && texts.push(packet.text.slice(0, 8))),
      });
      await client.subscribe([{ filter: 'much/#', qos: 1 }]);
      slow.push(client);
    }
    let done = false;
    const reading = slow.map(async (client, n) => {
      while (!done) {
        client.pause();
        await pause(50 + random.below(100));
        if (n % 3 > 0) client.resume();
        await pause(5);
      }
      client.resume();
    });
    const publishers = await Promise.all([0, 1, 2, 3].map(async (n) => await threads.connect(`publisher-${n}`)));
    // Some do not read at all until this is over: were anything held up by them, it would not come to its end.
    await Promise.all(
      publishers.map(async (publisher, p) => {
        for (let n = 0; n < 150; n += 1) {
          const text = `${p} ${n}`.padEnd(8) + 'x'.repeat(8_000);
          expect(await publisher.publish(`much/${p}`, text, { qos: 1 })).toBe(0);
        }
      }),
    );
    done = true;
    await Promise.all(reading);
    await eventually(async () => ([...heard.values()].every((texts) => texts.length >= 600) ? true : undefined));
    for (const [id, texts] of heard) {
      for (const p of [0, 1, 2, 3]) {
        const own = texts.filter((text) => text.startsWith(`${p} `)).map((text) => Number(text.split(' ')[1]));
        expect(own, id).toEqual(Array.from({ length: 150 }, (_, n) => n));
      }
    }
  });
});
