import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openTestGateway, type TestGateway } from './gateway.fixture.ts';

const run = promisify(execFile);
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await openTestGateway();
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

describe.each([4, 5] as const)('mqtt.js, protocol %i', (protocolVersion) => {
  const clients: MqttClient[] = [];
  const open = async (options: IClientOptions = {}): Promise<MqttClient> => {
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${gateway.port}`, {
      protocolVersion,
      reconnectPeriod: 0,
      ...options,
    });
    clients.push(client);
    return client;
  };
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.endAsync(true)));
  });

  it('sends and gets messages of every QoS, in order', async () => {
    const subscriber = await open();
    const got: string[] = [];
    const all = new Promise<void>((resolve) => {
      subscriber.on('message', (topic, payload, { qos }) => {
        if (got.push(`${topic} ${payload.toString()} ${qos}`) === 90) resolve();
      });
    });
    await subscriber.subscribeAsync(`js${protocolVersion}/+/x`, { qos: 2 });
    const publisher = await open();
    for (let i = 0; i < 30; i++) {
      await Promise.all(
        ([0, 1, 2] as const).map((qos) => publisher.publishAsync(`js${protocolVersion}/${qos}/x`, String(i), { qos })),
      );
    }
    await all;
    for (const qos of [0, 1, 2]) {
      const ofTopic = got.filter((line) => line.startsWith(`js${protocolVersion}/${qos}/`));
      expect(ofTopic).toEqual(Array.from({ length: 30 }, (_, i) => `js${protocolVersion}/${qos}/x ${i} ${qos}`));
    }
  });

  it('is acknowledged when the log says so', async () => {
    const client = await open();
    let acknowledged = false;
    const before = gateway.intake.accepted.length;
    const published = client.publishAsync('telemetry/d', '{"t":1}', { qos: 1 }).then(() => (acknowledged = true));
    await expect.poll(() => gateway.intake.accepted.length).toBe(before + 1);
    await client.publishAsync('other', 'x', { qos: 0 });
    expect(acknowledged).toBe(false);
    gateway.intake.settle();
    await published;
  });

  it('leaves a will, retained', async () => {
    const topic = `will/${protocolVersion}`;
    const dying = await open({ will: { topic, payload: Buffer.from('gone'), qos: 1, retain: true } });
    dying.stream.destroy();
    await expect.poll(() => gateway.broker.retained.count).toBeGreaterThan(0);
    const watcher = await open();
    const message = new Promise<string>((resolve) => watcher.once('message', (_topic, payload) => resolve(payload.toString())));
    await watcher.subscribeAsync(topic);
    expect(await message).toBe('gone');
    await watcher.publishAsync(topic, '', { retain: true });
  });

  it('is told when another takes its client id', async () => {
    const first = await open({ clientId: `twice${protocolVersion}` });
    const closed = new Promise<void>((resolve) => first.once('close', () => resolve()));
    const second = await open({ clientId: `twice${protocolVersion}` });
    await closed;
    expect(second.connected).toBe(true);
  });
});

const hasMosquitto = await run('mosquitto_pub', ['--help']).then(
  () => true,
  (error: unknown) => !(error instanceof Error && 'code' in error && error.code === 'ENOENT'),
);
if (!hasMosquitto) {
  if (process.env['CI'] !== undefined) throw new Error('mosquitto_pub and mosquitto_sub are not installed');
  process.stderr.write('skipped: mosquitto_pub and mosquitto_sub are not installed (Debian: mosquitto-clients)\n');
}

describe.skipIf(!hasMosquitto).each(['mqttv311', 'mqttv5'])('mosquitto clients, %s', (version) => {
  it.each([0, 1, 2])('send and get a message at QoS %i', async (qos) => {
    const common = ['-h', '127.0.0.1', '-p', String(gateway.port), '-V', version, '-q', String(qos), '-t', `m/${version}/${qos}`];
    const subscriber = spawn('mosquitto_sub', [...common, '-C', '3', '-W', '10', '-v']);
    let output = '';
    subscriber.stdout.on('data', (chunk) => (output += String(chunk)));
    const exited = once(subscriber, 'close');
    const before = gateway.broker.counters.subscriptions;
    await expect.poll(() => gateway.broker.counters.subscriptions).toBeGreaterThan(before);
    for (const text of ['one', 'two', 'three']) await run('mosquitto_pub', [...common, '-m', text]);
    await exited;
    expect(output).toBe(['one', 'two', 'three'].map((text) => `m/${version}/${qos} ${text}\n`).join(''));
  });

  it('get a retained message', async () => {
    const common = ['-h', '127.0.0.1', '-p', String(gateway.port), '-V', version, '-t', `r/${version}`];
    await run('mosquitto_pub', [...common, '-q', '1', '-r', '-m', 'kept']);
    const { stdout } = await run('mosquitto_sub', [...common, '-C', '1', '-W', '10']);
    expect(stdout).toBe('kept\n');
  });
});
