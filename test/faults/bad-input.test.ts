import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, Selsyn } from '../harness/selsyn.ts';

interface DeadLetters {
  readonly items: readonly {
    readonly device: string;
    readonly code: string;
    readonly reason: string;
    readonly payload: string;
  }[];
}

/** Repeats: the same bytes each run. */
function randomBytes(seed: number, count: number): Buffer {
  const bytes = Buffer.alloc(count);
  let state = seed;
  for (let at = 0; at < count; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

describe('bad input, by every door', () => {
  let selsyn: Selsyn;
  let client: MqttClient;

  beforeAll(async () => {
    selsyn = await Selsyn.start({ settings: ['mqtt.maxPacketBytes=262144', 'cardinality.maxSeriesPerDevice=256'] });
    client = await connectAsync(selsyn.mqttUrl, {
      clientId: 'honest',
      username: 'honest',
      password: await selsyn.addDevice('honest'),
      protocolVersion: 5,
    });
  });
  afterAll(async () => {
    await client.endAsync();
    await selsyn[Symbol.asyncDispose]();
  });

  const openSocket = async (): Promise<Socket> => {
    const socket = connect(selsyn.mqttPort, '127.0.0.1');
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('connect', resolve));
    return socket;
  };
  /** Connections that ended for a reason other than their own DISCONNECT, as the metrics have it. */
  const refusedConnections = async (): Promise<number> => {
    const text = await (await selsyn.fetch('/metrics')).text();
    const lines = text.matchAll(/^selsyn_mqtt_(?:sessions_closed|connects_refused|connections_closed)_total(?:\{.*\})? (\d+)$/gm);
    return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
  };
  /** The process is the same, and an honest device is served as ever. */
  const expectHealthy = async (): Promise<void> => {
    const ts = Date.now();
    await client.publishAsync('telemetry/honest', JSON.stringify({ ts, alive: ts }), { qos: 1 });
    await eventually(async () => {
      const { alive } = await selsyn.get<{ alive?: [number, number] }>('/api/v1/devices/honest/telemetry/latest');
      return alive?.[1] === ts ? true : undefined;
    });
    expect((await selsyn.fetch('/healthz')).status).toBe(200);
  };

  it('closes a connection that does not speak MQTT, and counts it', async () => {
    const before = await refusedConnections();
    const closed: Promise<unknown>[] = [];
    for (let seed = 1; seed <= 200; seed += 1) {
      const socket = await openSocket();
      socket.resume();
      closed.push(new Promise((resolve) => socket.once('close', resolve)));
      socket.end(randomBytes(seed, 1 + ((seed * 37) % 4096)));
    }
    await Promise.all(closed);
    expect(await refusedConnections()).toBeGreaterThanOrEqual(before + 200);
    await expectHealthy();
  });

  it('refuses a packet that announces more than is allowed, without waiting for its bytes', async () => {
    const memoryBefore = (await selsyn.get<{ memoryBytes: number }>('/api/v1/stats')).memoryBytes;
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        const socket = await openSocket();
        socket.resume();
        const closed = new Promise((resolve) => socket.once('close', resolve));
        socket.write(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]));
        await closed;
      }),
    );
    const memoryAfter = (await selsyn.get<{ memoryBytes: number }>('/api/v1/stats')).memoryBytes;
    expect(memoryAfter - memoryBefore).toBeLessThan(100_000_000);
    await expectHealthy();
  });

  it('does not let half-open connections, one byte at a time, hold anything up', async () => {
    const sockets = await Promise.all(Array.from({ length: 200 }, async () => await openSocket()));
    for (const byte of Buffer.from([0x10, 0x20, 0x00, 0x04])) {
      for (const socket of sockets) socket.write(Buffer.from([byte]));
      await pause(20);
    }
    await expectHealthy();
    for (const socket of sockets) socket.destroy();
  });

  it.each([
    ['not JSON', 'temperature=23.5', 'telemetry.malformed'],
    ['cut-off JSON', '{"temperature":23', 'telemetry.malformed'],
    ['a bare number', '23.5', 'telemetry.malformed'],
    ['NaN', '{"temperature":NaN}', 'telemetry.malformed'],
    ['a number beyond doubles', '{"temperature":1e999}', 'telemetry.malformed'],
    ['a nested value', '{"temperature":{"celsius":1}}', 'telemetry.malformed'],
    ['deep JSON', `${'['.repeat(60_000)}${']'.repeat(60_000)}`, 'telemetry.malformed'],
    ['deep objects', `${'{"a":'.repeat(30_000)}1${'}'.repeat(30_000)}`, 'telemetry.malformed'],
    ['a negative timestamp', '{"ts":-1,"temperature":1}', 'telemetry.bad-time'],
    ['a timestamp in the far future', '{"ts":99999999999999,"temperature":1}', 'telemetry.bad-time'],
    ['no bytes', '', 'telemetry.malformed'],
  ])('keeps %s as a dead letter with its reason, and goes on', async (_, payload, code) => {
    await client.publishAsync('telemetry/honest', payload, { qos: 1 });
    const { items } = await eventually(async () => {
      const answer = await selsyn.get<DeadLetters>('/api/v1/dead-letters?limit=1');
      return answer.items[0]?.payload === payload.slice(0, 1024) ? answer : undefined;
    });
    expect(items[0]).toMatchObject({ device: 'honest', code });
    expect(items[0]?.reason.length).toBeGreaterThan(10);
    await expectHealthy();
  });

  it('stops a device that floods new metric names at 256, and keeps those it had', async () => {
    for (let n = 0; n < 300; n += 1) client.publish('telemetry/honest', JSON.stringify({ [`flood-${n}`]: n }), { qos: 1 });
    await client.publishAsync('telemetry/honest', '{"last":1}', { qos: 1 });
    await eventually(async () => {
      const { items } = await selsyn.get<DeadLetters>('/api/v1/dead-letters?limit=100&device=honest');
      return items.some(({ code }) => code === 'telemetry.too-many-metrics') ? true : undefined;
    });
    expect(Object.keys(await selsyn.get<object>('/api/v1/devices/honest/telemetry/latest'))).toHaveLength(256);
    await expectHealthy();
  });

  it.each([
    ['a time that is none', '?from=yesterday'],
    ['a limit of 0', '?limit=0'],
    ['a limit beyond a million', '?limit=1000001'],
    ['a limit that is no number', '?limit=abc'],
    ['an interval of nothing', '?every=0s'],
    ['an unknown unit', '?every=1parsec&fn=mean'],
    ['an unknown function', '?every=1h&fn=median'],
    ['an unknown time zone', '?every=1h&tz=Middle/Earth'],
    ['a cursor that is none', '?cursor=nonsense'],
    ['an unknown parameter', '?unknown=1'],
    ['a metric of 5,000 characters', `?metrics=${'a'.repeat(5000)}`],
    ['a time beyond all numbers', '?from=1e400'],
    ['a range that ends before it begins', '?from=2&to=1'],
  ])('answers %s in a query with a problem document', async (_, query) => {
    const response = await selsyn.fetch(`/api/v1/devices/honest/telemetry${query}`);
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(await response.json()).toMatchObject({ status: response.status, code: expect.any(String), title: expect.any(String) });
  });

  it('answers bad bodies, paths and keys with problem documents', async () => {
    const json = { 'content-type': 'application/json' };
    const cases: [string, RequestInit, number][] = [
      ['/api/v1/devices', { method: 'POST', headers: json, body: '{' }, 400],
      ['/api/v1/devices', { method: 'POST', headers: json, body: '{"id":"a b"}' }, 400],
      ['/api/v1/devices', { method: 'POST', headers: json, body: '{"id":"x","extra":1}' }, 400],
      ['/api/v1/devices', { method: 'POST', headers: json, body: `{"id":"${'x'.repeat(3_000_000)}"}` }, 413],
      ['/api/v1/devices', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'x' }, 415],
      ['/api/v1/devices/nobody/telemetry', {}, 404],
      ['/api/v1/nothing', {}, 404],
      ['/api/v1/devices', { headers: { authorization: 'Bearer wrong' } }, 401],
    ];
    for (const [path, init, status] of cases) {
      const response = await selsyn.fetch(path, init);
      expect(response.status, path).toBe(status);
      expect(response.headers.get('content-type')).toContain('application/problem+json');
    }
    await expectHealthy();
  });
});
