import { appendFileSync, readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { describe, expect, it } from 'vitest';
import { Selsyn } from '../harness/selsyn.ts';

/** The last segment of the first partition. */
function lastSegment(selsyn: Selsyn): string {
  const folder = join(selsyn.data, 'log', 'telemetry', '0');
  return join(
    folder,
    readdirSync(folder)
      .filter((name) => name.endsWith('.log'))
      .sort()
      .at(-1) ?? '',
  );
}

describe('a torn end of the log', () => {
  it('is cut away at the next start: garbage after the last frame costs nothing that was acknowledged', async () => {
    await using selsyn = await Selsyn.start();
    const token = await selsyn.addDevice('d');
    const firstMs = Date.now() - 60_000;
    let sent = 0;
    const publishHundred = async (): Promise<void> => {
      const client = await connectAsync(selsyn.mqttUrl, { clientId: 'd', username: 'd', password: token });
      const all = Array.from({ length: 100 }, () => sent++);
      await Promise.all(
        all.map(async (n) => await client.publishAsync('telemetry/d', JSON.stringify({ ts: firstMs + n, n }), { qos: 1 })),
      );
      await client.endAsync();
    };
    for (let round = 0; round < 5; round += 1) {
      await publishHundred();
      await selsyn.end('SIGKILL');
      appendFileSync(lastSegment(selsyn), Buffer.alloc(1 + round * 997, round));
      await selsyn.restart();
      const { n } = await selsyn.get<{ n: [number, number][] }>('/api/v1/devices/d/telemetry?metrics=n');
      expect(n).toEqual(Array.from({ length: sent }, (_, value) => [firstMs + value, value]));
    }
  });

  it('loses what a disk lost, and no more, and says so', async () => {
    await using selsyn = await Selsyn.start();
    const token = await selsyn.addDevice('d');
    const client = await connectAsync(selsyn.mqttUrl, { clientId: 'd', username: 'd', password: token });
    const firstMs = Date.now() - 60_000;
    for (let n = 0; n < 20; n += 1) await client.publishAsync('telemetry/d', JSON.stringify({ ts: firstMs + n, n }), { qos: 1 });
    await client.endAsync(true);
    await selsyn.end('SIGKILL');
    const path = lastSegment(selsyn);
    truncateSync(path, statSync(path).size - 3);
    await selsyn.restart();
    const { n } = await selsyn.get<{ n: [number, number][] }>('/api/v1/devices/d/telemetry?metrics=n');
    expect(n.length).toBeGreaterThanOrEqual(19);
    expect(n.slice(0, 19)).toEqual(Array.from({ length: 19 }, (_, value) => [firstMs + value, value]));
  });
});
