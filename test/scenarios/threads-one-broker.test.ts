import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { RawClient, type Received } from '../harness/mqtt-client.ts';
import { eventually, Selsyn } from '../harness/selsyn.ts';
import { PERSISTENT, Threads } from '../harness/threads.ts';

const will = (topic: string, rest: object = {}) =>
  ({ topic, payload: Buffer.from('gone'), qos: 1, retain: false, properties: {}, ...rest }) as const;

describe('what clients see of several gateway threads as of one broker', () => {
  it('a will goes to subscribers in all threads once, kept where it is to be, and not at all where its client is back in time', async () => {
    await using threads = await Threads.start(3);
    const { heard } = await threads.listeners('listener-', 'wills/#');
    for (const thread of threads.all) {
      const topic = threads.nameAt(thread, 'wills/kept-');
      const client = await threads.connect(`dies-${thread}`, { connect: { will: will(topic, { retain: true, qos: 2 }) } });
      client.destroy();
      const id = threads.nameAt(thread, 'delayed-');
      const delayed = will(`wills/back-${thread}`, { properties: { willDelayIntervalSec: 3 } });
      const away = await threads.connect(id, { connect: { ...PERSISTENT, will: delayed } });
      away.destroy();
      const back = await threads.connect(id, { connect: PERSISTENT });
      expect(back.connack.sessionPresent).toBe(true);
      // In the same thread, with the same delay, and later: when it is there, the time of the one before is over.
      const late = will(`wills/late-${thread}`, { properties: { willDelayIntervalSec: 3 } });
      (await threads.connect(threads.nameAt(thread, 'late-'), { connect: { ...PERSISTENT, will: late } })).destroy();
    }
    const expected = threads.all
      .flatMap((thread) => [`${threads.nameAt(thread, 'wills/kept-')} gone`, `wills/late-${thread} gone`])
      .toSorted();
    await eventually(async () => (heard.every((texts) => texts.length >= expected.length) ? true : undefined));
    await pause(200);
    for (const texts of heard) expect(texts.toSorted()).toEqual(expected);
    const found: string[] = [];
    using reader = await threads.connect('reader', {
      onPacket: (packet) => void (packet.type === 'publish' && packet.retain && found.push(packet.topic)),
    });
    await reader.subscribe([{ filter: 'wills/#' }]);
    await eventually(async () => (found.length >= 3 ? true : undefined));
    expect(found.toSorted()).toEqual(threads.all.map((thread) => threads.nameAt(thread, 'wills/kept-')).toSorted());
  });

  it('no local holds for what comes back by way of the home of a retained message', async () => {
    await using threads = await Threads.start(3);
    const texts: string[] = [];
    using client = await threads.connect('talker', {
      onPacket: (packet) => void (packet.type === 'publish' && texts.push(`${packet.topic} ${packet.text}`)),
    });
    await client.subscribe([{ filter: 'said/#', qos: 1, noLocal: true }]);
    for (const thread of threads.all) {
      await client.publish(threads.nameAt(thread, 'said/'), 'mine', { qos: 1, retain: true });
    }
    using other = await threads.connect('other');
    await other.publish('said/other', 'theirs', { qos: 1 });
    await client.subscribe([{ filter: 'said/+', qos: 1, noLocal: true }]);
    await eventually(async () => (texts.includes('said/other theirs') ? true : undefined));
    await pause(200);
    expect(new Set(texts)).toEqual(new Set(['said/other theirs']));
  });

  it('presence events come once for each client, whichever thread serves it', async () => {
    await using threads = await Threads.start(3);
    const events = new Map<string, number>();
    using watcher = await threads.connect('watcher', {
      onPacket: (packet) => {
        if (packet.type === 'publish') events.set(packet.topic, (events.get(packet.topic) ?? 0) + 1);
      },
    });
    await watcher.subscribe([{ filter: '$aws/events/presence/#', qos: 1 }]);
    const ids = Array.from({ length: 30 }, (_, n) => `present-${n}`);
    for (const [n, id] of ids.entries())
      await (await threads.connect(id, { connect: n % 2 === 0 ? PERSISTENT : {} })).disconnect();
    const expected = ids.flatMap((id) => ['connected', 'disconnected'].map((kind) => `$aws/events/presence/${kind}/${id}`));
    await eventually(async () => (expected.every((topic) => events.has(topic)) ? true : undefined));
    await pause(50);
    events.delete('$aws/events/presence/connected/watcher');
    expect([...events.keys()].toSorted()).toEqual(expected.toSorted());
    expect(new Set(events.values())).toEqual(new Set([1]));
  });

  it('$SYS counts the clients of all threads, and `selsyn clients` lists each once', async () => {
    await using threads = await Threads.start(3, ['mqtt.sysIntervalSec=1']);
    const clients: RawClient[] = [];
    for (let n = 0; n < 24; n += 1) {
      const client = await threads.connect(`counted-${String(n).padStart(2, '0')}`, { connect: n % 2 === 0 ? PERSISTENT : {} });
      await client.subscribe([{ filter: `x/${n}`, qos: 1 }]);
      clients.push(client);
    }
    for (const client of clients.slice(0, 8)) await client.disconnect();
    const values = new Map<string, string[]>();
    const readers = await Promise.all(
      [0, 1, 2, 3, 4, 5].map(
        async (n) =>
          await threads.connect(`reader-${n}`, {
            onPacket: (packet: Received) =>
              void (packet.type === 'publish' && values.set(packet.topic, [...(values.get(packet.topic) ?? []), packet.text])),
          }),
      ),
    );
    for (const reader of readers) await reader.subscribe([{ filter: '$SYS/broker/clients/#' }]);
    // 16 and the readers; of the 8 that went four are kept.
    const latest = (name: string): string[] => (values.get(`$SYS/broker/clients/${name}`) ?? []).slice(-6);
    await eventually(async () => {
      const [connected, disconnected] = [latest('connected'), latest('disconnected')];
      const right = connected.length === 6 && connected.every((text) => text === '22');
      return right && disconnected.every((text) => text === '4') ? true : undefined;
    }).catch(() => {});
    expect([latest('connected'), latest('disconnected')]).toEqual([Array(6).fill('22'), Array(6).fill('4')]);

    const { stdout, code } = await threads.selsyn.cli('clients', '--json');
    expect(code).toBe(0);
    const listed = stdout.split('\n').flatMap((line) => line.match(/counted-\d\d/g)?.slice(0, 1) ?? []);
    expect(new Set(listed).size).toBe(24);
    const states = Object.values(await threads.states('counted-'));
    const count = (state: string): number => states.filter((one) => one === state).length;
    expect([count('connected'), count('offline'), count('gone')]).toEqual([16, 4, 4]);
    // What is known of a client is known wherever it is asked for.
    expect((await threads.selsyn.cli('client', 'counted-01')).stdout).toContain('counted-01');
  });

  it('a device that is deleted, or whose token is changed, loses all its connections in all threads', async () => {
    await using selsyn = await Selsyn.start({ settings: ['gateway.threads=3'] });
    const token = await selsyn.addDevice('d1');
    const credentials = (secret: string) => ({ username: 'd1', password: Buffer.from(secret) });
    const open = async (secret: string): Promise<RawClient[]> =>
      await Promise.all(
        Array.from({ length: 18 }, async (_, n) => {
          const connect = { ...credentials(secret), clientId: `d1-${n}`, ...(n % 2 === 0 && PERSISTENT) };
          return await RawClient.connect({ port: selsyn.mqttPort, connect });
        }),
      );
    const first = await open(token);
    const response = await selsyn.fetch('/api/v1/devices/d1/token', { method: 'POST' });
    expect(response.ok).toBe(true);
    const { token: changed } = (await response.json()) as { token: string };
    await Promise.all(first.map(async ({ closed }) => await closed));
    expect(first.map(({ disconnected }) => disconnected?.reasonCode)).toEqual(Array(18).fill(0x98));
    await expect(open(token)).rejects.toThrow('refused');
    const second = await open(changed);
    expect((await selsyn.fetch('/api/v1/devices/d1', { method: 'DELETE' })).ok).toBe(true);
    await Promise.all(second.map(async ({ closed }) => await closed));
    expect(second.map(({ disconnected }) => disconnected?.reasonCode)).toEqual(Array(18).fill(0x98));
    await expect(open(changed)).rejects.toThrow('refused');
  });
});
