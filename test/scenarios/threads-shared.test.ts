import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { PersistentPublisher } from '../faults/persistent-publisher.ts';
import { PersistentSubscriber } from '../faults/persistent-subscriber.ts';
import { RawClient } from '../harness/mqtt-client.ts';
import { Random } from '../harness/random.ts';
import { eventually } from '../harness/selsyn.ts';
import { PERSISTENT, Threads } from '../harness/threads.ts';

const PER_PUBLISHER = 500;

describe('a shared group with members in all threads', () => {
  it('gives each message to exactly one member, wherever it comes in, and each member its share', async () => {
    await using threads = await Threads.start(3);
    const heard = new Map<string, string[]>();
    for (let n = 0; n < 12; n += 1) {
      const texts: string[] = [];
      heard.set(`member-${n}`, texts);
      const client = await threads.connect(`member-${n}`, {
        version: n % 2 === 0 ? 5 : 4,
        connect: n % 3 === 0 ? PERSISTENT : {},
        onPacket: (packet) => void (packet.type === 'publish' && texts.push(packet.text)),
      });
      await client.subscribe([{ filter: '$share/g/jobs/#', qos: 2 }]);
    }
    const publishers = await Promise.all([1, 2, 3, 4, 5, 6].map(async (n) => await threads.connect(`publisher-${n}`)));
    await Promise.all(
      publishers.map(async (publisher, p) => {
        for (let n = 0; n < 100; n += 1) {
          const qos = (n % 3) as 0 | 1 | 2; // 0 to 2
          expect((await publisher.publish(`jobs/${p}`, `${p} ${n}`, { qos })) < 0x80).toBe(true);
        }
      }),
    );
    const count = (): number => [...heard.values()].reduce((sum, texts) => sum + texts.length, 0);
    await eventually(async () => (count() >= 600 ? true : undefined));
    await pause(100);
    const all = [...heard.values()].flat();
    expect([all.length, new Set(all).size]).toEqual([600, 600]);
    for (const [name, texts] of heard) expect(texts.length, name).toBeGreaterThan(25);
  });

  it('loses nothing and sends no QoS 2 message twice while members come and go', async () => {
    await using threads = await Threads.start(3);
    const random = Random.ofRun('shared members that come and go');
    const publishers = ([1, 2] as const).flatMap((qos) =>
      [0, 1, 2].map((n) => {
        const id = `publisher-${qos}-${n}`;
        return new PersistentPublisher({
          id,
          version: 5,
          qos,
          persistent: n > 0,
          topic: `q${qos}/${n}`,
          perConnection: PER_PUBLISHER,
        });
      }),
    );
    const members = threads.all.flatMap((thread) =>
      ([1, 2] as const).flatMap((qos) =>
        [0, 1].map((n) => {
          const id = threads.nameAt(thread, `member-${qos}-${n}-`);
          const version = n === 0 ? 4 : 5;
          return new PersistentSubscriber(
            { id, version, filter: `$share/group-${qos}/q${qos}/#`, qos, slownessMs: 4, receiveMaximum: 20 },
            random,
          );
        }),
      ),
    );
    // Those of QoS 1 have company that comes without a session and goes without a word.
    const passing: string[] = [];
    let done = false;
    const passers = [0, 1, 2].map(async (n) => {
      while (!done) {
        using client = await RawClient.connect({
          port: threads.port,
          onPacket: (packet) => void (packet.type === 'publish' && passing.push(`${packet.topic} ${packet.text}`)),
          connect: { clientId: `passer-${n}` },
        });
        await client.subscribe([{ filter: '$share/group-1/q1/#', qos: 1 }]);
        await pause(10 + random.below(40));
      }
    });
    for (const member of members) await member.connect(threads.port);
    const publishing = Promise.all(publishers.map(async (publisher) => await publisher.run(threads.port)));
    const churning = (async () => {
      while (!done) {
        const member = random.pick(members);
        if (member.isOnline) member.drop();
        else await member.connect(threads.port);
        await pause(5);
      }
    })();
    await publishing;
    done = true;
    await Promise.all([churning, ...passers]);
    for (const member of members) if (!member.isOnline) await member.connect(threads.port);
    for (const publisher of publishers) await publisher.finish(threads.port);

    const missing = (): string[] =>
      publishers.flatMap(({ options: { topic }, acknowledged }) => {
        const got = new Set(members.flatMap((member) => member.heard.get(topic) ?? []));
        for (const text of passing) if (text.startsWith(`${topic} `)) got.add(Number(text.split(' ')[1]));
        return [...acknowledged].filter((n) => !got.has(n)).map((n) => `${topic} ${n}`);
      });
    await eventually(async () => (missing().length === 0 ? true : undefined)).catch(() => {});
    expect(missing()).toEqual([]);
    await pause(300);
    for (const { options } of publishers) {
      const numbers = members.flatMap((member) => member.heard.get(options.topic) ?? []);
      if (options.qos === 2) expect(numbers.length - new Set(numbers).size, `twice of ${options.topic}`).toBe(0);
    }
    for (const { acknowledged, refused } of publishers) expect([acknowledged.size, refused]).toEqual([PER_PUBLISHER, 0]);
  });

  it('refuses a message that no member in any thread has room for, and goes on when one has', async () => {
    await using threads = await Threads.start(3, ['mqtt.maxQueuedMessages=5']);
    const ids = threads.all.map((thread) => threads.nameAt(thread, 'away-'));
    for (const id of ids) {
      const client = await threads.connect(id, { connect: PERSISTENT });
      await client.subscribe([{ filter: '$share/g/jobs', qos: 1 }]);
      await client.disconnect();
    }
    const publisher = await threads.connect('publisher');
    const codes: number[] = [];
    for (let n = 0; n < 20; n += 1) codes.push(await publisher.publish('jobs', `${n}`, { qos: 1 }));
    expect(codes).toEqual([...Array.from({ length: 15 }, () => 0), ...Array.from({ length: 5 }, () => 0x97)]);
    const heard: string[] = [];
    const onPacket = (packet: { type: string; text?: string }): void =>
      void (packet.type === 'publish' && heard.push(packet.text ?? ''));
    for (const id of ids) await threads.connect(id, { connect: PERSISTENT, onPacket });
    expect(await publisher.publish('jobs', 'more', { qos: 1 })).toBe(0);
    await eventually(async () => (heard.length >= 16 ? true : undefined));
    const numbers = Array.from({ length: 15 }, (_, n) => `${n}`);
    expect(heard.toSorted()).toEqual([...numbers, 'more'].toSorted());
  });
});
