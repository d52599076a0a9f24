import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { describe, expect, it } from 'vitest';
import { eventually, Selsyn } from '../harness/selsyn.ts';
import { mountVolume } from '../harness/volume.ts';

const volume = mountVolume(96);
const TOPIC = 'telemetry/d';

describe.skipIf(volume === undefined)('a volume below its floor of free space', () => {
  it('is told of, telemetry is refused with a word, and is taken again when there is room', async () => {
    const folder = volume?.folder ?? '';
    try {
      await using selsyn = await Selsyn.start({
        data: join(folder, 'data'),
        settings: ['gateway.threads=1', 'log.segmentBytes=4194304', 'retention.whenShort=refuse', 'access.mode=open'],
      });
      const client = await connectAsync(selsyn.mqttUrl, { clientId: 'd', protocolVersion: 5, reconnectPeriod: 0 });
      const told: string[] = [];
      client.on('message', (_topic, payload) => told.push((JSON.parse(payload.toString()) as { state: string }).state));
      await client.subscribeAsync('$selsyn/status/storage', { qos: 1 });
      const state = async (): Promise<string> =>
        (await selsyn.get<{ volume: { state: string } }>('/api/v1/storage')).volume.state;
      const publish = async (): Promise<number> =>
        await client
          .publishAsync(TOPIC, '{"t":1}', { qos: 1 })
          .then(() => 0)
          .catch((error: { readonly code?: number }) => error.code ?? -1);
      expect(await publish()).toBe(0);
      expect(await state()).toBe('ok');

      // Not full: only less is free than the twentieth that is the floor here.
      const filler = join(folder, 'filler');
      const { bavail, bsize } = statfsSync(folder);
      writeFileSync(filler, Buffer.alloc(bavail * bsize - 3 * 1024 * 1024, 1));
      expect(await eventually(async () => ((await state()) === 'refusing' ? true : undefined))).toBe(true);
      // [MQTT-3.4.2.1]: 0x97, quota exceeded.
      expect(await publish()).toBe(0x97);
      const posted = await selsyn.fetch('/api/v1/telemetry', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"device":"d","values":{"t":2}}',
      });
      expect(posted.status).toBe(507);
      expect(await (await selsyn.fetch('/metrics')).text()).toMatch(/^selsyn_storage_refusing\{.*\} 1$/m);
      expect(selsyn.said).toContain('telemetry is refused');

      rmSync(filler);
      await eventually(async () => ((await state()) === 'ok' ? true : undefined));
      expect(await publish()).toBe(0);
      await eventually(async () => (told.at(-1) === 'ok' ? true : undefined));
      expect(told).toContain('refusing');
      await client.endAsync();
    } finally {
      volume?.unmount();
    }
  });
});
