import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Random } from '../harness/random.ts';
import { type ConnectedClient, Threads } from '../harness/threads.ts';

type View = Record<string, string>;

/** What is retained below `kept/`, as each of some new clients sees it; filled as it comes. */
async function views(threads: Threads, clientIds: readonly string[], ending: DisposableStack): Promise<readonly View[]> {
  return await Promise.all(
    clientIds.map(async (clientId) => {
      const found: View = {};
      const client = await threads.connect(clientId, {
        onPacket: (packet) => void (packet.type === 'publish' && packet.retain && (found[packet.topic] = packet.text)),
      });
      ending.use(client);
      await client.subscribe([{ filter: 'kept/#' }]);
      return found;
    }),
  );
}

/** All see the same, which `holds`, and still do when there was time for more; what comes by way of another thread comes in its time. */
async function same(all: readonly View[], holds: (view: View) => boolean): Promise<View> {
  const [first = {}] = all;
  const settled = async (): Promise<void> => {
    await expect.poll(() => holds(first)).toBe(true);
    for (const view of all) await expect.poll(() => view).toEqual(first);
  };
  await settled();
  await pause(100);
  await settled();
  return first;
}

describe('retained messages of several threads', () => {
  it('are the same in all of them, however many set and clear them at once, also after kill -9', async () => {
    await using threads = await Threads.start(3);
    const random = Random.ofRun('retained messages of several threads');
    const topics = [...threads.all, ...threads.all].map((thread, n) => threads.nameAt(thread, `kept/${n}-`));
    const publishers = await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(async (n) => await threads.connect(`publisher-${n}`)));
    await Promise.all(
      publishers.map(async (publisher, p) => {
        for (let n = 0; n < 60; n += 1) {
          // Several of one publisher are under way at once too.
          await Promise.all(
            topics.map(async (topic) => {
              const text = random.oneIn(3) ? '' : `${p} ${n}`;
              const code = await publisher.publish(topic, text, { qos: random.oneIn(2) ? 1 : 2, retain: true });
              expect(code < 0x80).toBe(true);
            }),
          );
        }
      }),
    );
    // At the end there is something to be found.
    await publishers[0]?.publish(topics[0] ?? '', 'the last', { qos: 1, retain: true });
    using ending = new DisposableStack();
    const readers = Array.from({ length: 15 }, (_, n) => `reader-${n}`);
    const kept = await same(await views(threads, readers, ending), (view) => view[topics[0] ?? ''] === 'the last');
    const counts = async (): Promise<Set<number>> => new Set((await threads.metric('selsyn_mqtt_retained_messages')).values());
    await expect.poll(async () => (await counts()).size).toBe(1);

    await threads.selsyn.end('SIGKILL');
    await threads.selsyn.restart();
    const after = await views(threads, ['after-0', 'after-1', 'after-2', 'after-3', 'after-4', 'after-5'], ending);
    const number = Object.keys(kept).length;
    expect(await same(after, (view) => Object.keys(view).length === number)).toEqual(kept);
  });

  it('leave whoever subscribes while one is replaced with the new one, never with the old one or none', async () => {
    await using threads = await Threads.start(3);
    const random = Random.ofRun('subscribing while a retained message is replaced');
    const heard = Array.from({ length: 9 }, () => new Map<string, string[]>());
    const subscribers: ConnectedClient[] = [];
    for (const [n, mine] of heard.entries()) {
      const client = await threads.connect(`subscriber-${n}`, {
        onPacket: (packet) =>
          void (packet.type === 'publish' && mine.set(packet.topic, [...(mine.get(packet.topic) ?? []), packet.text])),
      });
      subscribers.push(client);
    }
    const publishers = await Promise.all([0, 1, 2, 3, 4, 5].map(async (n) => await threads.connect(`publisher-${n}`)));
    // Threads that have something to do take their time, each another.
    let done = false;
    const busy = [0, 1, 2].map(async (n) => {
      const client = await threads.connect(`busy-${n}`);
      await client.subscribe([{ filter: 'busy/#' }]);
      while (!done) {
        const payload = Buffer.alloc(200);
        for (let i = 0; i < 200; i += 1) client.send({ type: 'publish', topic: `busy/${n}`, payload, qos: 0, packetId: 0 });
        await pause(4);
      }
    });
    const wrong: string[] = [];
    for (let round = 0; round < 150; round += 1) {
      const topic = `kept/${round}`;
      const publisher = random.pick(publishers);
      if (round % 2 === 0) await publisher.publish(topic, 'old', { qos: 1, retain: true });
      const subscribing = subscribers.map(async (client) => {
        await pause(random.below(4));
        await client.subscribe([{ filter: topic }]);
      });
      await pause(random.below(3));
      await publisher.publish(topic, 'new', { qos: 0, retain: true });
      await Promise.all(subscribing);
      const last = (): string[] => heard.map((mine) => mine.get(topic)?.at(-1) ?? 'nothing');
      for (let tries = 0; tries < 6_000 && last().some((text) => text !== 'new'); tries += 1) await pause(5);
      await pause(5);
      wrong.push(...last().flatMap((text, n) => (text === 'new' ? [] : [`subscriber ${n}, round ${round}: ${text}`])));
      await Promise.all(subscribers.map(async (client) => await client.unsubscribe(topic)));
    }
    done = true;
    await Promise.all(busy);
    expect(wrong).toEqual([]);
  });
});
