import { S3Blobs } from '@selsyn/platform/blobs/drivers/s3/s3-blobs.ts';
import { connectAsync } from 'mqtt';
import { afterAll, expect, test } from 'vitest';
import { S3_BUCKET, S3_CREDENTIALS, S3Server } from '../harness/s3-server.ts';
import { eventually, Selsyn } from '../harness/selsyn.ts';

interface Status {
  readonly state: string;
  readonly points: number;
  readonly objects: number;
  readonly openErasures: number;
}

const HOUR_MS = 3_600_000;
const server = await S3Server.start('s3mock');
afterAll(async () => await server?.[Symbol.asyncDispose]());

const SETTINGS = [
  'telemetry.sealAfterSec=1',
  'archive.target=s3',
  `archive.endpoint=${server?.endpoint}`,
  `archive.bucket=${S3_BUCKET}`,
  'archive.prefix=selsyn/',
  `archive.accessKeyId=${S3_CREDENTIALS.accessKeyId}`,
  `archive.secretAccessKey=${S3_CREDENTIALS.secretAccessKey}`,
];

async function run(selsyn: Selsyn): Promise<void> {
  expect((await selsyn.fetch('/api/v1/archive/run', { method: 'POST' })).status).toBe(202);
}

(server === undefined ? test.skip : test)(
  'telemetry goes to S3, whatever is killed meanwhile, and a device is erased from there',
  async () => {
    await using selsyn = await Selsyn.start({ settings: SETTINGS });
    const token = await selsyn.addDevice('d1');
    const other = await selsyn.addDevice('d2');
    const startMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 30 * HOUR_MS;
    for (const [device, password] of [
      ['d1', token],
      ['d2', other],
    ] as const) {
      const client = await connectAsync(selsyn.mqttUrl, { clientId: device, username: device, password });
      for (let hour = 0; hour < 6; hour++) {
        const samples = Array.from({ length: 60 }, (_, minute) => ({
          ts: startMs + hour * HOUR_MS + minute * 60_000,
          v: minute,
        }));
        await client.publishAsync(`telemetry/${device}`, JSON.stringify(samples), { qos: 1 });
      }
      await client.endAsync();
    }
    const archived = async (points: number): Promise<Status> =>
      await eventually(async () => {
        await run(selsyn);
        const status = await selsyn.get<Status>('/api/v1/archive');
        return status.state === 'idle' && status.points === points ? status : undefined;
      });
    // Points reach the day files a second after they came. It is killed while they are on their way to the bucket.
    await eventually(async () => {
      await run(selsyn);
      return (await selsyn.get<Status>('/api/v1/archive')).objects > 0 ? true : undefined;
    });
    await selsyn.end('SIGKILL');
    await server!.kill();
    await selsyn.restart();
    await run(selsyn);
    await eventually(async () => ((await selsyn.get<Status>('/api/v1/archive')).state === 'failing' ? true : undefined));
    await server!.startAgain();
    await archived(720);

    const cli = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await selsyn.cli(...args);
      expect([code, stderr]).toEqual([0, '']);
      return stdout;
    };
    expect(await cli('archive')).toContain('720 points');
    expect((await selsyn.cli('erase', 'd1')).stderr).toContain('say --yes');
    expect(await cli('erase', 'd1', '--yes', '--wait')).toContain('nothing is left of the telemetry of d1; 360 points');
    expect(await cli('erasures')).toContain('done');
    expect(await archived(360)).toMatchObject({ openErasures: 0 });
    expect(await selsyn.get('/api/v1/devices/d1/telemetry?from=now-2d')).toEqual({});

    await using bucket = new S3Blobs({
      bucket: S3_BUCKET,
      prefix: 'selsyn/',
      region: 'us-east-1',
      endpoint: server!.endpoint,
      pathStyle: true,
      credentials: S3_CREDENTIALS,
      checksums: true,
    });
    const stored: string[] = [];
    for await (const { key } of bucket.list('')) stored.push(key);
    const { items } = await selsyn.get<{ items: { key: string }[] }>('/api/v1/archive/objects?limit=1000');
    expect(stored).toEqual(items.map(({ key }) => key).sort());
    expect(stored.length).toBeGreaterThan(0);
  },
);
