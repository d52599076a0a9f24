import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { describe, expect, it } from 'vitest';
import { Mosquitto } from '../harness/mosquitto.ts';
import { findProgram } from '../harness/programs.ts';
import { metricsReference } from '../../tools/metrics-reference.ts';
import { ADMIN_KEY, CLI, eventually, Selsyn } from '../harness/selsyn.ts';

const mosquitto = findProgram('mosquitto');
const subscriber = findProgram('mosquitto_sub');

async function connect(selsyn: Selsyn, clientId: string, options: IClientOptions = {}): Promise<MqttClient> {
  return await connectAsync(selsyn.mqttUrl, { clientId, protocolVersion: 5, reconnectPeriod: 0, ...options });
}

/** The messages that a client gets, each as its topic and its JSON. */
function hearing(client: MqttClient): { readonly topic: string; readonly event: Record<string, unknown> }[] {
  const heard: { topic: string; event: Record<string, unknown> }[] = [];
  client.on('message', (topic, payload) =>
    heard.push({ topic, event: JSON.parse(payload.toString()) as Record<string, unknown> }),
  );
  return heard;
}

/** The names below `$SYS` that a broker serves within two seconds. */
async function sysNames(program: string, port: number): Promise<Set<string>> {
  const stdout = await new Promise<string>((resolve) => {
    const args = ['-h', '127.0.0.1', '-p', String(port), '-t', '$SYS/#', '-v', '-F', '%t', '-W', '2'];
    execFile(program, args, (_timedOut, output) => resolve(output));
  });
  return new Set(stdout.split('\n').filter((line) => line !== ''));
}

describe('$SYS', () => {
  it.skipIf(mosquitto === undefined || subscriber === undefined)('has the names that mosquitto has', async () => {
    await using selsyn = await Selsyn.start({ settings: ['access.mode=open', 'gateway.threads=2', 'mqtt.sysIntervalSec=1'] });
    await using peer = await Mosquitto.start(['sys_interval 1']);
    let [ours, theirs] = [new Set<string>(), new Set<string>()];
    // A slow machine gets some of them late.
    await eventually(async () => {
      [ours, theirs] = await Promise.all([
        sysNames(subscriber ?? '', selsyn.mqttPort),
        sysNames(subscriber ?? '', peer?.port ?? 0),
      ]);
      return theirs.size > 50 && ours.symmetricDifference(theirs).size === 0 ? true : undefined;
    }).catch(() => {});
    expect(theirs.size).toBeGreaterThan(50);
    expect([...ours.difference(theirs)]).toEqual([]);
    expect([...theirs.difference(ours)]).toEqual([]);
  });

  it('counts what clients do in all threads, and no device may claim to be it', async () => {
    await using selsyn = await Selsyn.start({ settings: ['access.mode=open', 'gateway.threads=2', 'mqtt.sysIntervalSec=1'] });
    const watcher = await connect(selsyn, 'watcher');
    const values = new Map<string, string>();
    watcher.on('message', (topic, payload) => values.set(topic.slice('$SYS/broker/'.length), payload.toString()));
    await watcher.subscribeAsync('$SYS/#');
    const clients = await Promise.all(Array.from({ length: 6 }, async (_, n) => await connect(selsyn, `c${n}`)));
    for (const client of clients) await client.publishAsync('room/1', '12345', { qos: 1 });
    const counted = (): unknown => ({
      received: values.get('publish/messages/received'),
      bytes: values.get('publish/bytes/received'),
      connected: values.get('clients/connected'),
      subscriptions: values.get('subscriptions/count'),
      isLoaded: Number(values.get('load/publish/received/1min')) > 0,
    });
    await expect.poll(counted).toEqual({ received: '6', bytes: '30', connected: '7', subscriptions: '1', isLoaded: true });
    await expect(watcher.publishAsync('$SYS/broker/version', 'forged', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
    for (const client of [watcher, ...clients]) client.end(true);
  });
});

describe('presence events', () => {
  it('tell who comes, goes and why, in all threads', async () => {
    await using selsyn = await Selsyn.start({ settings: ['access.mode=open', 'gateway.threads=2'] });
    const watcher = await connect(selsyn, 'watcher');
    const heard = hearing(watcher);
    await watcher.subscribeAsync('$aws/events/#', { qos: 1 });
    for (let n = 0; n < 4; n += 1) {
      const client = await connect(selsyn, `d${n}`, { username: `device-${n}` });
      await client.subscribeAsync(['room/1', 'room/2']);
      await client.unsubscribeAsync('room/2');
      if (n === 0) client.stream.destroy();
      else if (n === 1) (await connect(selsyn, 'd1')).end(true);
      else await client.endAsync();
    }
    const of = (kind: string, clientId: string): Record<string, unknown>[] =>
      heard.filter(({ topic }) => topic === `$aws/events/${kind}/${clientId}`).map(({ event }) => event);
    const reasons = (clientId: string): unknown[] =>
      of('presence/disconnected', clientId).map((event) => event['disconnectReason']);
    const all = [1, 2, 1, 1];
    await eventually(async () => (all.every((count, n) => reasons(`d${n}`).length === count) ? true : undefined));
    expect(reasons('d0')).toEqual(['CONNECTION_LOST']);
    // In whatever order: the two connections may be in two threads.
    expect(reasons('d1')).toContain('DUPLICATE_CLIENTID');
    expect(reasons('d3')).toEqual(['CLIENT_INITIATED_DISCONNECT']);
    const [connected] = of('presence/connected', 'd3');
    const [disconnected] = of('presence/disconnected', 'd3');
    expect(connected).toMatchObject({ clientId: 'd3', eventType: 'connected', principalIdentifier: 'device-3' });
    expect(connected).toMatchObject({ ipAddress: expect.stringContaining('127.0.0.1'), timestamp: expect.any(Number) });
    expect(disconnected?.['versionNumber']).toBe(connected?.['versionNumber']);
    expect(disconnected?.['sessionIdentifier']).toBe(connected?.['sessionIdentifier']);
    expect(of('subscriptions/subscribed', 'd3')).toMatchObject([{ eventType: 'subscribed', topics: ['room/1', 'room/2'] }]);
    expect(of('subscriptions/unsubscribed', 'd3')).toMatchObject([{ topics: ['room/2'] }]);
    const versions = of('presence/connected', 'd1').map((event) => event['versionNumber']);
    expect(new Set(versions).size).toBe(2);
    await expect(watcher.publishAsync('$aws/events/presence/connected/d9', '{}', { qos: 1 })).rejects.toMatchObject({
      code: 0x87,
    });
    watcher.end(true);
  });

  it('are for no device: neither they nor $SYS', async () => {
    await using selsyn = await Selsyn.start();
    const password = await selsyn.addDevice('d1');
    const device = await connect(selsyn, 'd1', { username: 'd1', password });
    for (const filter of ['$aws/events/#', '$SYS/#', '$aws/events/presence/connected/d1']) {
      await expect(device.subscribeAsync(filter)).rejects.toThrow();
    }
    const shown = await selsyn.cli('client', 'd1');
    expect(shown.stdout).toMatch(/denied +subscribe \$aws\/events\/presence\/connected\/d1: 0x87 not authorized/);
    device.end(true);
  });
});

describe('selsyn clients', () => {
  it('lists who is there, who is not and why, and shows each', async () => {
    await using selsyn = await Selsyn.start({ settings: ['gateway.threads=2'] });
    const none = await selsyn.cli('clients');
    expect(none.stdout).toMatch(/^no client is connected; connect one with: mosquitto_sub /);
    expect((await selsyn.cli('client', 'nobody')).stderr).toMatch(/client\.not-found/);

    const password = await selsyn.addDevice('d1');
    const sleeperToken = await selsyn.addDevice('sleeper');
    const device = await connect(selsyn, 'd1', { username: 'd1', password, keepalive: 45 });
    await device.subscribeAsync('devices/d1/#', { qos: 1 });
    await expect(device.subscribeAsync('devices/other/#')).rejects.toThrow();
    await expect(device.publishAsync('forbidden/topic', 'x', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
    const properties = { sessionExpiryInterval: 3600 };
    const sleeper = await connect(selsyn, 'sleeper', { username: 'sleeper', password: sleeperToken, clean: false, properties });
    await sleeper.subscribeAsync('devices/sleeper/wake', { qos: 1 });
    sleeper.stream.destroy();
    await expect(connect(selsyn, 'd1', { username: 'd1', password: 'a-wrong-password' })).rejects.toThrow();

    const table = await eventually(async () => {
      const { stdout } = await selsyn.cli('clients');
      return /sleeper +offline/.test(stdout) ? stdout : undefined;
    });
    expect(table).toMatch(/^d1 +connected +\d+ s +tcp \S*127\.0\.0\.1 +5\.0 /m);
    expect(table).toMatch(/^sleeper +offline .*connection-lost, /m);
    expect(table).toContain('1 client connected, 1 session waiting for a client');
    expect((await selsyn.cli('clients', '--offline', '--json')).stdout.split('\n').filter((line) => line !== '')).toHaveLength(1);
    expect((await selsyn.cli('clients', '--prefix', 'x')).stdout).toMatch(/^no client id begins with "x"; there are 1 client/);

    const shown = (await selsyn.cli('client', 'd1')).stdout;
    expect(shown).toMatch(/^state +connected for /m);
    expect(shown).toMatch(/^connection +TCP, from \S*127\.0\.0\.1\S*, MQTT 5\.0, keep-alive 45 s$/m);
    expect(shown).toMatch(/^subscribed +QoS 1 {2}devices\/d1\/#$/m);
    expect(shown).toMatch(/publish forbidden\/topic: 0x87 not authorized/);
    expect(shown).toMatch(/subscribe devices\/other\/#: 0x87 not authorized/);
    expect(shown).toMatch(/connect .*: 0x86 bad user name or password/);
    expect(shown).not.toMatch(/a-wrong-password/);
    expect((await selsyn.cli('client', 'sleeper')).stdout).toMatch(/^session +kept for 1 h 0 min after its connection$/m);

    const code = new Promise((resolve) => device.once('disconnect', (packet) => resolve(packet.reasonCode)));
    expect((await selsyn.cli('client', 'd1', '--disconnect')).stdout).toBe('disconnected d1\n');
    expect(await code).toBe(0x98);
    const gone = (await selsyn.cli('client', 'd1')).stdout;
    expect(gone).toMatch(/^state +gone/m);
    expect(gone).toMatch(/^last closes .*administrative: .* \(0x98\)$/m);
    expect((await selsyn.cli('client', 'sleeper', '--discard-session')).code).toBe(0);
    expect((await selsyn.cli('clients', '--offline')).stdout).toMatch(/^sleeper +gone /m);
  });
});

describe('the metrics', () => {
  it('are all in docs/reference/metrics.md', async () => {
    await using selsyn = await Selsyn.start({ settings: ['access.mode=open'] });
    const client = await connect(selsyn, 'd1');
    await client.endAsync();
    const metrics = await eventually(async () => {
      const text = await (await selsyn.fetch('/metrics')).text();
      return text.includes('selsyn_mqtt_reason_codes_received_total{') ? text : undefined;
    });
    expect(metrics).toMatch(/^selsyn_mqtt_reason_codes_sent_total\{packet="connack",code="0x00",thread="gateway-0"\} 1$/m);
    const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'reference', 'metrics.md'), 'utf8');
    expect(page).toBe(metricsReference(metrics));
  });
});

describe('selsyn trace', () => {
  it('shows the packets of a client, whatever thread it is in, and payloads only when asked', async () => {
    await using selsyn = await Selsyn.start({ settings: ['access.mode=open', 'gateway.threads=2'] });
    const trace = startTrace(selsyn, '--client', 'd1');
    const payloads = startTrace(selsyn, '--topic', 'room/+', '--payload');
    await Promise.all([trace.ready, payloads.ready]);
    const client = await connect(selsyn, 'd1', { username: 'u', password: 'the-password' });
    await client.subscribeAsync('room/#', { qos: 1 });
    await client.publishAsync('room/1', 'the-payload', { qos: 1 });
    await client.endAsync();
    const text = await eventually(async () =>
      trace.text().includes('end d1 closed (client-disconnect)') ? trace.text() : undefined,
    );
    expect(text).toMatch(/^\S+ gateway-\d in {2}d1 CONNECT \(MQTT 5\.0, clean start, keep-alive \d+ s\) \d+ bytes$/m);
    expect(text).toMatch(/ out d1 CONNACK 0x00 success \d+ bytes$/m);
    expect(text).toMatch(/ in {2}d1 SUBSCRIBE id \d+ room\/# \(QoS 1\) \d+ bytes$/m);
    expect(text).toMatch(/ out d1 SUBACK id \d+ QoS 1 \d+ bytes$/m);
    expect(text).toMatch(/ in {2}d1 PUBLISH room\/1 QoS 1 id \d+ \d+ bytes$/m);
    expect(text).toMatch(/ out d1 PUBLISH room\/1 QoS 1 id \d+ \d+ bytes$/m);
    expect(text).toMatch(/ out d1 PUBACK id \d+ 4 bytes$/m);
    expect(text).toMatch(/ in {2}d1 DISCONNECT 0x00 success \d+ bytes$/m);
    expect(text).not.toMatch(/the-payload|the-password/);
    await eventually(async () => (payloads.text().split('\n').length > 4 ? true : undefined));
    expect(payloads.text()).toMatch(/in {2}d1 PUBLISH room\/1 QoS 1 id \d+ \d+ bytes\n {4}the-payload\n/);
    await Promise.all([trace.end(), payloads.end()]);
    const refused = await selsyn.cli('trace', '--topic', 'a/#/b');
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/is no topic filter/)]);
  });
});

/** `selsyn trace` in a process of its own, until `end`. */
function startTrace(selsyn: Selsyn, ...args: readonly string[]): { ready: Promise<void>; text(): string; end(): Promise<void> } {
  const environment = { ...process.env, SELSYN_URL: selsyn.url, SELSYN_KEY: ADMIN_KEY };
  const child = spawn(process.execPath, [CLI, 'trace', ...args], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (piece: Buffer) => (text += piece.toString()));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    ready: new Promise((resolve) => child.stderr.once('data', () => resolve())),
    text: () => text,
    async end() {
      child.kill('SIGINT');
      await ended;
    },
  };
}
