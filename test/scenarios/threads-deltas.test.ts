import { describe, expect, it } from 'vitest';
import type { Received } from '../harness/mqtt-client.ts';
import { eventually } from '../harness/selsyn.ts';
import { Threads } from '../harness/threads.ts';

const WRITES = 60;

describe('deltas of a shadow, where several gateway threads have its clients', () => {
  it('never go backwards for any of them, while the device subscribes again and again', async () => {
    await using threads = await Threads.start(3);
    const { selsyn } = threads;
    for (const thread of threads.all) {
      // Its own connection is in one thread, and what is of it leaves by another, or by the same one.
      const device = threads.nameAt(thread, 'device-');
      const prefix = `$aws/things/${device}/shadow`;
      const delta = `${prefix}/update/delta`;
      const heard = new Map<string, number[]>();
      const hears = (name: string) => {
        const versions: number[] = [];
        heard.set(name, versions);
        return (packet: Received): void => {
          if (packet.type === 'publish' && packet.topic === delta)
            versions.push((JSON.parse(packet.text) as { version: number }).version);
        };
      };
      const own = await threads.connect(device, { onPacket: hears('device'), connect: { username: device } });
      const listeners = await Promise.all(
        threads.all.map(async (place) => {
          const name = threads.nameAt(place, `app-${thread}-`);
          const client = await threads.connect(name, { onPacket: hears(name) });
          await client.subscribe([{ filter: delta, qos: 1 }]);
          return client;
        }),
      );
      const writer = await threads.connect(threads.nameAt((thread + 1) % 3, `writer-${thread}-`));
      await eventually(async () => ((await selsyn.fetch(`/api/v1/devices/${device}`)).status === 200 ? true : undefined));

      let writing = true;
      const byMqtt = async (): Promise<void> => {
        for (let n = 0; n < WRITES; n += 1)
          await writer.publish(`${prefix}/update`, JSON.stringify({ state: { desired: { mqtt: n } } }), { qos: 1 });
      };
      const byApi = async (): Promise<void> => {
        for (let n = 0; n < WRITES; n += 1) {
          const { status } = await selsyn.fetch(`/api/v1/devices/${device}/shadow`, {
            method: 'PATCH',
            headers: { 'content-type': 'application/merge-patch+json' },
            body: JSON.stringify({ desired: { api: n } }),
          });
          expect(status).toBeLessThan(300);
        }
      };
      const subscribing = (async () => {
        for (let n = 0; writing; n += 1) {
          await own.subscribe([{ filter: delta, qos: 1 }]);
          if (n % 4 === 3) await own.unsubscribe(delta);
        }
        await own.subscribe([{ filter: delta, qos: 1 }]);
      })();
      await Promise.all([byMqtt(), byApi()]);
      writing = false;
      await subscribing;
      await eventually(async () => ([...heard.values()].every((versions) => versions.at(-1) === 2 * WRITES) ? true : undefined));
      for (const [name, versions] of heard) {
        const backwards = versions.filter((version, index) => version < (versions[index - 1] ?? 0));
        expect([device, name, backwards]).toEqual([device, name, []]);
      }
      for (const client of [own, writer, ...listeners]) client.destroy();
    }
  });
});
