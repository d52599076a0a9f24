import { connectAsync } from 'mqtt';
import { describe, expect, it } from 'vitest';
import { eventually, Selsyn } from '../harness/selsyn.ts';

describe('the times of samples', () => {
  it('keeps every one of many samples that arrive at once without a time, in order', async () => {
    await using selsyn = await Selsyn.start();
    const client = await connectAsync(selsyn.mqttUrl, { clientId: 'd', username: 'd', password: await selsyn.addDevice('d') });
    const before = Date.now();
    await Promise.all(
      Array.from({ length: 200 }, async (_, n) => await client.publishAsync('telemetry/d', `{"n":${n}}`, { qos: 1 })),
    );
    await client.publishAsync('telemetry/d', `[${Array.from({ length: 50 }, (_, n) => `{"n":${200 + n}}`).join(',')}]`, {
      qos: 1,
    });
    const points = await eventually(async () => {
      const { n = [] } = await selsyn.get<{ n?: [number, number][] }>('/api/v1/devices/d/telemetry?metrics=n&to=now%2B1h');
      return n.length >= 250 ? n : undefined;
    });
    expect(points.map(([, value]) => value)).toEqual(Array.from({ length: 250 }, (_, n) => n));
    expect(points[0]?.[0]).toBeGreaterThanOrEqual(before);
    expect(points.at(-1)?.[0]).toBeLessThan(Date.now() + 1000);
    await client.endAsync();
  });

  it('lets the later arrival win where a device gives the same time twice, before and after chunks are written', async () => {
    await using selsyn = await Selsyn.start({ settings: ['telemetry.sealAfterSec=1'] });
    const token = await selsyn.addDevice('d');
    const client = await connectAsync(selsyn.mqttUrl, { clientId: 'd', username: 'd', password: token });
    const ts = Date.now() - 10_000;
    const publish = async (value: number | string): Promise<void> =>
      void (await client.publishAsync('telemetry/d', JSON.stringify({ ts, v: value }), { qos: 1 }));
    const expectOne = async (value: number | string): Promise<void> => {
      await eventually(async () => {
        const { v = [] } = await selsyn.get<{ v?: [number, unknown][] }>('/api/v1/devices/d/telemetry?metrics=v');
        expect(v.length).toBeLessThanOrEqual(1);
        return v[0]?.[1] === value ? true : undefined;
      });
    };
    await publish(1);
    await publish(2);
    await expectOne(2);
    await eventually(async () =>
      (await selsyn.get<{ store: { points: number } }>('/api/v1/stats')).store.points > 0 ? true : undefined,
    );
    await publish('three');
    await expectOne('three');
    await client.endAsync();
    await selsyn.end('SIGTERM');
    await selsyn.restart();
    await expectOne('three');
  });
});
