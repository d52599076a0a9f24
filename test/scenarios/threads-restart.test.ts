import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Received } from '../harness/mqtt-client.ts';
import { eventually } from '../harness/selsyn.ts';
import { PERSISTENT, Threads } from '../harness/threads.ts';

const CLIENTS = 60;
/** Each has as many messages, of QoS 1 and 2 in turn, of each run. */
const MESSAGES = 4;

describe('a start with another number of gateway threads', () => {
  it('keeps every session, subscription, message and retained message: from 1 to 3 to 2', async () => {
    const expected = new Map(Array.from({ length: CLIENTS }, (_, n) => [`client-${n}`, [] as string[]]));
    const kept: Record<string, string> = {};
    const shared: string[] = [];
    await using first = await Threads.start(1);
    const { data } = first.selsyn;
    for (const id of expected.keys()) {
      const client = await first.connect(id, { connect: PERSISTENT });
      await client.subscribe([
        { filter: `to/${id}/#`, qos: 2 },
        { filter: 'to/all', qos: 1 },
        { filter: '$share/g/work', qos: 1 },
      ]);
      await client.disconnect();
    }
    const fill = async (threads: Threads, run: string): Promise<void> => {
      const publisher = await threads.connect('publisher');
      for (const [id, texts] of expected) {
        for (let n = 0; n < MESSAGES; n += 1) {
          const text = `${run} ${n}`;
          expect(await publisher.publish(`to/${id}/x`, text, { qos: n % 2 === 0 ? 1 : 2 })).toBe(0);
          texts.push(text);
        }
        kept[`kept/${id}`] = run;
        await publisher.publish(`kept/${id}`, run, { qos: 1, retain: true });
        expect(await publisher.publish('work', `${run} ${id}`, { qos: 1 })).toBe(0);
        shared.push(`${run} ${id}`);
      }
      expect(await publisher.publish('to/all', `${run} all`, { qos: 2 })).toBe(0);
      for (const texts of expected.values()) texts.push(`${run} all`);
      await publisher.publish(`kept/gone-${run}`, 'x', { qos: 1, retain: true });
      await publisher.publish(`kept/gone-${run}`, '', { qos: 1, retain: true });
      await threads.selsyn.end('SIGKILL');
    };
    const check = async (threads: Threads): Promise<void> => {
      const found: Record<string, string> = {};
      using reader = await threads.connect('reader', {
        onPacket: (packet) => void (packet.type === 'publish' && (found[packet.topic] = packet.text)),
      });
      await reader.subscribe([{ filter: 'kept/#' }]);
      await eventually(async () => (Object.keys(found).length >= CLIENTS ? true : undefined));
      await pause(50);
      expect(found).toEqual(kept);
      expect(Object.keys(await threads.states('client-')).length).toBe(CLIENTS);
    };

    await fill(first, 'one');
    await using second = await Threads.start(3, [], data);
    await check(second);
    await fill(second, 'three');
    await using third = await Threads.start(2, [], data);
    await check(third);

    const heard = new Map<string, string[]>();
    const worked: string[] = [];
    for (const id of expected.keys()) {
      const texts: string[] = [];
      heard.set(id, texts);
      const onPacket = (packet: Received): void => {
        if (packet.type === 'publish') (packet.topic === 'work' ? worked : texts).push(packet.text);
      };
      const client = await third.connect(id, { connect: PERSISTENT, onPacket });
      expect(client.connack.sessionPresent, id).toBe(true);
    }
    const total = CLIENTS * 2 * (MESSAGES + 1);
    const count = (): number => [...heard.values()].reduce((sum, texts) => sum + texts.length, 0);
    await eventually(async () => (count() >= total && worked.length >= shared.length ? true : undefined)).catch(() => {});
    await pause(100);
    // QoS 2 not twice, and QoS 1 neither: none of them was sent before. In the order in which they came.
    expect(Object.fromEntries(heard)).toEqual(Object.fromEntries(expected));
    expect(worked.toSorted()).toEqual(shared.toSorted());
  });
});
