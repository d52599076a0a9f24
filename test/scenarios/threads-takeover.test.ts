import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { RawClient } from '../harness/mqtt-client.ts';
import { eventually } from '../harness/selsyn.ts';
import { PERSISTENT, Threads, ThreadWatch } from '../harness/threads.ts';

const CLEAN = { cleanStart: true } as const;
const KINDS = { clean: CLEAN, persistent: PERSISTENT } as const;
const COMBINATIONS = (['clean', 'persistent'] as const).flatMap((from) =>
  (['clean', 'persistent'] as const).map((to) => ({ from, to })),
);
/** Each time the kernel gives both connections to any thread: so many times that they were in different ones. */
const ROUNDS = 12;

describe('a client that connects again, by way of any thread', () => {
  it('takes over what it had, whichever kinds of session they are', async () => {
    await using threads = await Threads.start(3);
    using watch = await ThreadWatch.open(threads);
    const listeners = await threads.listeners('listener-', 'wills/#');
    for (const { from, to } of COMBINATIONS) {
      let apart = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        const name = `${from}-${to}-${round}`;
        const will = { topic: `wills/${name}`, payload: Buffer.from('gone'), qos: 1, retain: false, properties: {} } as const;
        const old = await threads.connect(name, { connect: { ...KINDS[from], will } });
        await old.subscribe([{ filter: `to/${name}`, qos: 1 }]);
        const heard: string[] = [];
        const now = await threads.connect(name, {
          connect: KINDS[to],
          onPacket: (packet) => void (packet.type === 'publish' && heard.push(packet.text)),
        });
        await old.closed;
        expect(old.disconnected?.reasonCode, name).toBe(0x8e);
        const isResumed = from === 'persistent' && to === 'persistent';
        expect(now.connack.sessionPresent, name).toBe(isResumed);
        // What the old one had subscribed to is there where its session goes on, and only there.
        await now.publish(`to/${name}`, 'hello', { qos: 1 });
        await now.ping();
        expect(heard, name).toEqual(isResumed ? ['hello'] : []);
        const [before, after] = await watch.threadsOf(name, 2);
        if (before !== after) apart += 1;
        now.destroy();
      }
      // Both persistent, it is the same thread by design: there the sockets are what is apart.
      if (from !== 'persistent' || to !== 'persistent') expect(apart, `${from} -> ${to}`).toBeGreaterThan(0);
    }
    const wills = COMBINATIONS.flatMap(({ from, to }) =>
      Array.from({ length: ROUNDS }, (_, round) => `wills/${from}-${to}-${round} gone`),
    ).toSorted();
    await eventually(async () => (listeners.heard.every((heard) => heard.length >= wills.length) ? true : undefined));
    await pause(100);
    for (const heard of listeners.heard) expect(heard.toSorted()).toEqual(wills);
  });

  it('leaves exactly one of many that connect at once, and nothing that hangs', async () => {
    await using threads = await Threads.start(3);
    for (const version of [4, 5] as const) {
      for (const kind of ['clean', 'persistent', 'mixed'] as const) {
        const name = `race-${version}-${kind}`;
        const attempts = await Promise.all(
          Array.from({ length: 20 }, async (_, n) => {
            const client = await RawClient.open({ port: threads.port, version });
            const isClean = kind === 'mixed' ? n % 2 === 0 : kind === 'clean';
            // Those that are overtaken before they were let in are closed without an answer.
            await client.connect({ clientId: name, ...(isClean ? CLEAN : PERSISTENT) }).catch(() => undefined);
            return client;
          }),
        );
        const left = await eventually(async () => {
          const open = attempts.filter(({ isOpen }) => isOpen);
          return open.length <= 1 ? open : undefined;
        });
        expect(left.length, name).toBe(1);
        await pause(50);
        const [winner] = left;
        expect(winner?.isOpen, name).toBe(true);
        await winner?.subscribe([{ filter: 'race/#', qos: 1 }]);
        expect(await threads.states(name)).toEqual({ [name]: 'connected' });
        await winner?.disconnect();
      }
    }
    await eventually(async () => {
      const counts = [...(await threads.metric('selsyn_mqtt_connections')).values()];
      return counts.length === 3 && counts.every((count) => count === 0) ? true : undefined;
    });
    const connected = [...(await threads.metric('selsyn_mqtt_sessions', 'connected')).values()];
    expect(connected).toEqual([0, 0, 0]);
  });

  it('begins anew after a connection that asked for that, also where that one was in another thread', async () => {
    await using threads = await Threads.start(3);
    for (let round = 0; round < 60; round += 1) {
      const name = `anew-${round}`;
      const first = await threads.connect(name, { connect: PERSISTENT });
      await first.subscribe([{ filter: 'old/#', qos: 1 }]);
      await first.disconnect();
      const clean = await threads.connect(name, { connect: CLEAN });
      clean.send({ type: 'disconnect', reasonCode: 0 });
      const last = await threads.connect(name, { connect: PERSISTENT });
      expect(last.connack.sessionPresent, name).toBe(false);
      last.destroy();
    }
  });
});
