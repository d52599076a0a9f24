import { connectAsync } from 'mqtt';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Selsyn } from '../harness/selsyn.ts';
import { mountVolume } from '../harness/volume.ts';

const volume = mountVolume(48);

describe.skipIf(volume === undefined)('a volume that the log itself would fill', () => {
  it('gives the space of stored records to new ones', { timeout: 120_000 }, async () => {
    const folder = volume?.folder ?? '';
    try {
      await using selsyn = await Selsyn.start({
        data: `${folder}/data`,
        settings: ['access.mode=open', 'log.segmentBytes=1048576', 'telemetry.sealAfterSec=1', 'gateway.threads=1'],
      });
      const client = await connectAsync(selsyn.mqttUrl, { clientId: 'd', protocolVersion: 5 });
      const firstMs = Date.now() - 3_600_000;
      const padding = 'x'.repeat(10_000);
      let refused = 0;
      let sent = 0;
      // Half as much again as the volume holds, at a pace at which it is stored before it is full.
      while (sent < 7_000) {
        const burst = Array.from({ length: 100 }, () => sent++);
        await Promise.all(
          burst.map(async (n) => {
            // Retained by the log in full; of it only two points are stored.
            const payload = JSON.stringify({ ts: firstMs + n, n, padding: `${n % 2}${padding}`.slice(0, 10_000) });
            await client.publishAsync('telemetry/d', payload, { qos: 1 }).catch(() => refused++);
          }),
        );
        await pause(250);
      }
      expect(refused).toBe(0);
      await client.endAsync();
    } finally {
      volume?.unmount();
    }
  });
});
