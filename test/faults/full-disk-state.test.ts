import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { describe, expect, it } from 'vitest';
import { eventually, Selsyn } from '../harness/selsyn.ts';
import { fill, mountVolume } from '../harness/volume.ts';

const volume = mountVolume(64);
const UPDATE = '$aws/things/d/shadow/update';

describe.skipIf(volume === undefined)('a full disk', () => {
  it('refuses what devices ask of their state, and what is asked when there is space again is done', async () => {
    const folder = volume?.folder ?? '';
    try {
      await using selsyn = await Selsyn.start({
        data: join(folder, 'data'),
        settings: ['gateway.threads=2', 'log.segmentBytes=4194304'],
      });
      const connect = async (id: string, password: string) =>
        await connectAsync(selsyn.mqttUrl, { clientId: id, username: id, password, protocolVersion: 5, reconnectPeriod: 0 });
      const client = await connect('d', await selsyn.addDevice('d'));
      const passwordOfOther = await selsyn.addDevice('other');
      const heard = { accepted: [] as number[], codes: new Set<number>() };
      client.on('message', (topic, payload) => {
        const body = JSON.parse(payload.toString()) as { code?: number; state?: { reported: { n: number } } };
        if (topic.endsWith('/rejected')) heard.codes.add(body.code ?? 0);
        else if (topic.endsWith('/accepted')) heard.accepted.push(body.state?.reported.n ?? 0);
      });
      await client.subscribeAsync(`${UPDATE}/+`, { qos: 1 });
      let n = 0;
      const update = async (): Promise<void> => {
        const reported = { n: ++n, padding: Math.random().toString(36).repeat(200).slice(0, 2_000) };
        await client.publishAsync(UPDATE, JSON.stringify({ state: { reported } }), { qos: 1 });
      };
      await update();
      await eventually(async () => (heard.accepted.length === 1 ? true : undefined));

      const filler = join(folder, 'filler');
      fill(filler, folder);
      await eventually(async () => {
        await update();
        return heard.codes.size > 0 ? true : undefined;
      });
      expect([...heard.codes]).toEqual([500]);
      expect((await selsyn.fetch('/healthz')).status).toBe(200);
      // That it is there is told again and again meanwhile, and counted once.
      const other = await connect('other', passwordOfOther);
      await eventually(async () => (selsyn.said.split('who is connected could not be noted').length > 3 ? true : undefined));

      rmSync(filler);
      const before = heard.accepted.length;
      await eventually(async () => {
        await update();
        return heard.accepted.length > before ? true : undefined;
      });
      const isConnected = async () =>
        (await selsyn.get<{ connectivity?: { connected: boolean } }>('/api/v1/devices/other')).connectivity?.connected;
      await eventually(async () => ((await isConnected()) === true ? true : undefined));
      await other.endAsync();
      await eventually(async () => ((await isConnected()) === false ? true : undefined));

      await client.endAsync(true);
      await selsyn.end('SIGKILL');
      await selsyn.restart();
      const shadow = await selsyn.get<{ reported: { n: number } }>('/api/v1/devices/d/shadow');
      expect(shadow.reported.n).toBeGreaterThanOrEqual(Math.max(...heard.accepted));
    } finally {
      volume?.unmount();
    }
  });
});
