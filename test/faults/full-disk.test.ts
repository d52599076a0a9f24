import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually, Selsyn } from '../harness/selsyn.ts';
import { fill, mountVolume } from '../harness/volume.ts';

const volume = mountVolume(48);

describe.skipIf(volume === undefined)('a full disk', () => {
  it('acknowledges nothing that is not stored, stays up, and goes on when there is space again', async () => {
    const folder = volume?.folder ?? '';
    try {
      await using selsyn = await Selsyn.start({
        data: join(folder, 'data'),
        settings: ['log.segmentBytes=4194304', 'telemetry.sealAfterSec=2'],
      });
      const client = await connectAsync(selsyn.mqttUrl, {
        clientId: 'd',
        username: 'd',
        password: await selsyn.addDevice('d'),
        protocolVersion: 5,
      });
      const firstMs = Date.now() - 3_600_000;
      const acknowledged: number[] = [];
      const refused: unknown[] = [];
      const publish = async (n: number): Promise<void> => {
        // Incompressible padding, so that the log fills the volume soon.
        const payload = JSON.stringify({ ts: firstMs + n, n, padding: Math.random().toString(36).repeat(20).slice(0, 200) });
        await client.publishAsync('telemetry/d', payload, { qos: 1 }).then(
          () => acknowledged.push(n),
          (error: unknown) => refused.push(error),
        );
      };
      await Promise.all(Array.from({ length: 500 }, async (_, n) => await publish(n)));
      expect(refused).toEqual([]);

      const filler = join(folder, 'filler');
      fill(filler, folder);
      let n = 500;
      while (refused.length < 20) {
        await Promise.all(Array.from({ length: 50 }, async () => await publish(n++)));
        if (n > 100_000) throw new Error('the full volume was never noticed');
      }
      expect(refused[0]).toMatchObject({ code: 0x97 });
      expect((await selsyn.fetch('/healthz')).status).toBe(200);

      rmSync(filler);
      await eventually(async () => {
        const before = acknowledged.length;
        await publish(n++);
        return acknowledged.length > before ? true : undefined;
      });
      await Promise.all(Array.from({ length: 500 }, async () => await publish(n++)));
      await pause(100);

      const check = async (): Promise<void> => {
        const { n: points = [] } = await selsyn.get<{ n?: [number, number][] }>(
          '/api/v1/devices/d/telemetry?metrics=n&limit=1000000',
        );
        const found = new Set(points.map(([, value]) => value));
        expect(acknowledged.filter((sent) => !found.has(sent))).toEqual([]);
        expect(found.size).toBe(points.length);
      };
      await eventually(async () =>
        (await selsyn.get<{ log: { lagRecords: number } }>('/api/v1/stats')).log.lagRecords === 0 ? true : undefined,
      );
      await check();
      await client.endAsync(true);
      await selsyn.end('SIGKILL');
      await selsyn.restart();
      await check();
    } finally {
      volume?.unmount();
    }
  });
});
