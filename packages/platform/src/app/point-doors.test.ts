import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ADMIN_KEY, asAdmin, openTestApi, type TestApi } from '../api/api.fixture.ts';
import { openMetrics } from '../kernel/metrics.ts';
import { SelsynError } from '../kernel/errors.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { influxRoutes } from '../gateways/http/influx/influx-routes.ts';
import { remoteWriteRoutes } from '../gateways/http/prometheus/remote-write-routes.ts';
import type { Caller } from '../people/caller.ts';
import { PointDoor } from '../points/point-door.ts';
import { FakePointIntake } from '../points/points.fixture.ts';
import { DeviceStore } from '../registry/device-store.ts';
import { registerDoorCounts } from './point-doors.ts';

let api: TestApi;
let intake: FakePointIntake;
let door: PointDoor;
const made: string[] = [];

async function open(openMode = false): Promise<void> {
  intake = new FakePointIntake();
  const identities = {
    find: async (key: string, address?: string): Promise<Caller | undefined> => await api.people.identities.find(key, address),
  };
  api = await openTestApi(({ database, clock }) => {
    const devices = new DeviceStore({ database, clock });
    door = new PointDoor({ intake, devices, openMode, onDevicesMade: (ids) => void made.push(...ids), clock });
    const common = { door, identities, logLines: silentLogLines };
    return {
      points: door,
      deviceRoutes: () => async (scope) => {
        await scope.register(influxRoutes({ ...common, version: '0.0.0-test' }));
        await scope.register(remoteWriteRoutes(common));
      },
    };
  });
}

beforeAll(async () => {
  await open();
});
beforeEach(() => {
  made.length = 0;
  intake.points.length = 0;
  intake.failure = undefined;
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

async function post(url: string, payload: string | Buffer, headers: Readonly<Record<string, string>> = asAdmin) {
  return await api.app.inject({ method: 'POST', url, payload, headers: { 'content-type': 'text/plain', ...headers } });
}

async function addDevice(id: string, group: string): Promise<void> {
  await post('/api/v1/devices', JSON.stringify({ id, group }), { ...asAdmin, 'content-type': 'application/json' });
}

async function keyOf(permissions: readonly string[], ...groups: readonly string[]): Promise<string> {
  const name = `r${permissions.length}`;
  await api.app.inject({ method: 'PUT', url: `/api/v1/roles/${name}`, headers: asAdmin, payload: { permissions } });
  const grants = groups.map((group) => ({ role: name, group }));
  const answer = await api.app.inject({
    method: 'POST',
    url: '/api/v1/api-keys',
    headers: asAdmin,
    payload: { name: 'k', grants },
  });
  return answer.json<{ key: string }>().key;
}

const token = (key: string) => ({ authorization: `Token ${key}` });
const devicesOf = () => [...new Set(intake.points.map(({ device }) => device))].sort();

describe('who may write', () => {
  const basic = (name: string) => `Basic ${Buffer.from(`${name}:${ADMIN_KEY}`).toString('base64')}`;
  test.each([
    [{ authorization: `Token ${ADMIN_KEY}` }, ''],
    [{ authorization: `Token any:${ADMIN_KEY}` }, ''],
    [{ authorization: `Bearer ${ADMIN_KEY}` }, ''],
    [{ authorization: basic('any') }, ''],
    [{ authorization: basic('') }, ''],
    [{}, `&u=any&p=${ADMIN_KEY}`],
  ])('a key is taken as %j %s', async (headers, query) => {
    for (const url of [`/write?db=d${query}`, `/api/v2/write?bucket=b&org=o${query}`]) {
      const answer = await post(url, 'm,device=d v=1', headers);
      expect([answer.statusCode, answer.body]).toEqual([204, '']);
    }
    expect(intake.points).toHaveLength(2);
  });

  test('nothing is taken without a key, with one that is none, or with the session of a browser', async () => {
    for (const headers of [
      {},
      token('nobody'),
      { authorization: 'Digest x' },
      { cookie: 'selsyn-session=selsyn_session_x' },
      token('selsyn_session_x'),
    ]) {
      const v2 = await post('/api/v2/write', 'm,device=d v=1', headers);
      expect([v2.statusCode, v2.json<{ code: string }>().code]).toEqual([401, 'unauthorized']);
      const v1 = await post('/write?db=d', 'm,device=d v=1', headers);
      expect([v1.statusCode, v1.headers['www-authenticate']]).toEqual([401, 'Basic realm="InfluxDB"']);
      expect((await post('/api/v1/write', '', headers)).statusCode).toBe(401);
    }
    const reader = await keyOf(['telemetry:read'], '/');
    expect((await post('/api/v2/write', 'm,device=d v=1', token(reader))).statusCode).toBe(403);
    expect((await post('/write?db=d', 'm,device=d v=1', token(reader))).statusCode).toBe(403);
    expect((await post('/query?q=SHOW+DATABASES', '', token(reader))).statusCode).toBe(403);
    expect(intake.points).toEqual([]);
  });

  test('a key of a group writes to devices in it and below, and to no others', async () => {
    await addDevice('in', '/acme');
    await addDevice('below', '/acme/floor-1');
    await addDevice('beside', '/acme-2');
    await addDevice('out', '/');
    const key = await keyOf(['telemetry:write'], '/acme');
    const refusedBefore = door.counts.influx.refused;
    const lines = ['in', 'below', 'beside', 'out', 'unknown'].map((id) => `m,device=${id} v=1,w=2`).join('\n');
    const answer = await post('/api/v2/write', lines, token(key));
    expect(answer.statusCode).toBe(422);
    expect(answer.json<{ message: string }>().message).toMatch(
      /^failure writing points to database: partial write: [^]* dropped=3$/,
    );
    expect(devicesOf()).toEqual(['below', 'in']);
    expect(made).toEqual([]);
    expect((await post('/write?db=d', 'm,device=out v=1', token(key))).json()).toEqual({
      error: 'partial write: there is no device out that this key may write to, and it may not add one dropped=1',
    });
    expect(door.counts.influx.refused - refusedBefore).toBe(4);
  });

  test('a device that there is not is made where the key may add devices, in its own group', async () => {
    await addDevice('outside', '/');
    const key = await keyOf(['telemetry:write', 'devices:write'], '/new');
    const answer = await post('/write?db=d', 'm,device=new-1 v=1\nm,device=new-2 v=1\nm,device=outside v=1', token(key));
    expect(answer.statusCode).toBe(400);
    expect(devicesOf()).toEqual(['new-1', 'new-2']);
    expect(made).toEqual(['new-1', 'new-2']);
    const { items } = (await api.app.inject({ url: '/api/v1/devices?group=/new', headers: asAdmin })).json<{
      items: { id: string; group: string }[];
    }>();
    expect(items.map(({ id, group }) => [id, group])).toEqual([['new-1', '/new'], ['new-2', '/new']]); // prettier-ignore
    // Of two groups it is not said which.
    const wide = await keyOf(['telemetry:write', 'devices:write', 'devices:read'], '/a', '/b');
    expect((await post('/write?db=d', 'm,device=new-3 v=1', token(wide))).statusCode).toBe(400);
  });
});

describe('what InfluxDB answers', () => {
  test('a body with a line that is none: InfluxDB 2 takes nothing of it, InfluxDB 1 the rest', async () => {
    const body = 'm,device=d v=1\nm,device=d v=\nm,device=d v=3';
    const v2 = await post('/api/v2/write?bucket=b', body);
    expect([v2.statusCode, v2.json()]).toEqual([
      400,
      { code: 'invalid', message: "unable to parse 'm,device=d v=': missing field value (line 2)", line: 2 },
    ]);
    expect(intake.points).toEqual([]);
    const v1 = await post('/write?db=d', body);
    expect([v1.statusCode, v1.json()]).toEqual([
      400,
      { error: "partial write: unable to parse 'm,device=d v=': missing field value (line 2) dropped=1" },
    ]);
    expect(intake.points.map(({ value }) => value)).toEqual([1, 3]);
  });

  test('what is asked before the first write', async () => {
    for (const url of ['/ping', '/api/v2/ping']) {
      for (const method of ['GET', 'HEAD'] as const) {
        const answer = await api.app.inject({ method, url });
        expect([answer.statusCode, answer.body, answer.headers['x-influxdb-version']]).toEqual([204, '', 'selsyn-0.0.0-test']);
      }
    }
    expect((await api.app.inject('/health')).json()).toMatchObject({ status: 'pass' });
    expect((await api.app.inject('/ready')).json()).toEqual({ status: 'ready' });
    const statement = async (q: string) =>
      (
        await post('/query', `q=${encodeURIComponent(q)}&db=telegraf`, {
          ...asAdmin,
          'content-type': 'application/x-www-form-urlencoded',
        })
      ).json<unknown>();
    expect(await statement('CREATE DATABASE "telegraf"')).toEqual({ results: [{ statement_id: 0 }] });
    expect(await statement('SHOW DATABASES')).toMatchObject({
      results: [{ series: [{ name: 'databases', values: [['selsyn'], ['telegraf']] }] }],
    });
    expect(await statement('SHOW DATABASES; SELECT * FROM cpu')).toMatchObject({
      results: [{ statement_id: 0 }, { statement_id: 1, error: expect.stringContaining('InfluxQL') }],
    });
    expect((await api.app.inject({ url: '/query', headers: asAdmin })).statusCode).toBe(400);
  });

  test('a program that makes its bucket where it does not find it finds it', async () => {
    const get = async (url: string) => await api.app.inject({ url, headers: asAdmin });
    const [organization] = (await get('/api/v2/orgs?org=acme')).json<{ orgs: { id: string; name: string }[] }>().orgs;
    expect(organization?.name).toBe('acme');
    const [bucket] = (await get('/api/v2/buckets?name=house')).json<{ buckets: object[] }>().buckets;
    expect(bucket).toMatchObject({ name: 'house', orgID: organization?.id, retentionRules: [] });
    expect((await get('/api/v2/buckets?limit=20')).json()).toMatchObject({ buckets: [{ name: 'selsyn' }] });
    const made = await post('/api/v2/buckets', '{"name":"house"}');
    expect([made.statusCode, made.json()]).toEqual([422, expect.objectContaining({ code: 'conflict' })]);
    expect((await api.app.inject('/api/v2/buckets')).statusCode).toBe(401);
    expect((await get('/api/v2/buckets')).headers['x-influxdb-version']).toBe('selsyn-0.0.0-test');
  });

  test('why points were dropped is told on one line, which Telegraf puts into its log', async () => {
    const answer = await post('/api/v2/write', 'm v=1\nm,device=d v=1\nm v=3');
    const why = 'no tag names a device: "device", "device_id" or "host" would';
    expect(answer.json()).toMatchObject({
      message: `failure writing points to database: partial write: ${why} (line 1); ${why} (line 3) dropped=2`,
    });
  });

  test.each([
    ['/write', '', 400, 'database is required'],
    ['/write?db=d&precision=fortnight', 'm v=1', 400, 'invalid precision'],
    ['/api/v2/write?precision=m', 'm v=1', 400, 'valid precision units are ns, us, ms, s'],
    ['/api/v2/write', '', 400, 'writing requires points'],
    ['/api/v2/write?device=a%20b', 'm v=1', 400, 'no device id'],
    ['/api/v2/write', 'm v=1', 422, 'no tag names a device: "device", "device_id" or "host" would (line 1) dropped=1'],
    ['/api/v2/write?device_tag=sensor,pump', 'm v=1', 422, 'no tag names a device: "sensor" or "pump" would'],
  ])('%s with %j: %i', async (url, body, status, message) => {
    const answer = await post(url, body);
    expect([answer.statusCode, answer.body]).toEqual([status, expect.stringContaining(message.replaceAll('"', '\\"'))]);
    expect(intake.points).toEqual([]);
  });

  test('a body may be packed, and unpacked be as large as InfluxDB takes', async () => {
    const line = 'm,device=d v=1 1\n';
    const large = gzipSync(line.repeat(Math.floor(24_000_000 / line.length)));
    expect((await post('/api/v2/write?precision=ms', large, { ...asAdmin, 'content-encoding': 'gzip' })).statusCode).toBe(204);
    const tooLarge = await post('/api/v2/write', gzipSync(line.repeat(1_600_000)), { ...asAdmin, 'content-encoding': 'gzip' });
    expect([tooLarge.statusCode, tooLarge.json<{ code: string }>().code]).toEqual([413, 'request too large']);
    const broken = await post('/write?db=d', 'no gzip', { ...asAdmin, 'content-encoding': 'gzip' });
    expect(broken.statusCode).toBe(400);
  });

  test.each([
    ['log.full', 507, undefined],
    ['log.failed', 503, '1'],
    ['telemetry.busy', 503, '1'],
    ['thread.timeout', 503, '1'],
  ] as const)('nothing is acknowledged where the log says %s', async (code, status, retryAfter) => {
    intake.failure = new SelsynError(code, 'not now', { retryable: retryAfter !== undefined });
    for (const url of ['/write?db=d', '/api/v2/write', '/api/v1/telemetry']) {
      const json = { ...asAdmin, 'content-type': 'application/json' };
      const body = url.endsWith('telemetry') ? '{"device":"d","values":{"v":1}}' : 'm,device=d v=1';
      const answer = await post(url, body, url.endsWith('telemetry') ? json : asAdmin);
      expect([url, answer.statusCode, answer.headers['retry-after']]).toEqual([url, status, retryAfter]);
    }
  });
});

describe('what senders of remote write begin with', () => {
  const headers = { ...asAdmin, 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' };

  // Upon 415 they go on with remote write 1.0 (specification 2.0, "Required HTTP Response Codes"; vmagent: client.go).
  test.each([
    ['vmagent', { 'content-encoding': 'zstd', 'x-victoriametrics-remote-write-version': '1' }],
    ['Prometheus 3', { 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request' }],
  ])('what %s tries first is answered with 415', async (_, first) => {
    const answer = await post('/api/v1/write', Buffer.from([0]), { ...headers, ...first });
    expect([answer.statusCode, answer.body]).toEqual([415, expect.stringMatching(/remote write 1\.0 is taken here/)]);
  });

  test('a message that has nothing but metadata, as Prometheus sends one every minute, is taken', async () => {
    // MetricMetadata { type: GAUGE, metric_family_name: "up", help: "x" }, packed as one literal.
    const message = Buffer.from([0x1a, 0x09, 0x08, 0x02, 0x12, 0x02, 0x75, 0x70, 0x22, 0x01, 0x78]);
    const packed = Buffer.concat([Buffer.from([message.length, (message.length - 1) << 2]), message]);
    expect((await post('/api/v1/write', packed, headers)).statusCode).toBe(204);
    expect(intake.points).toEqual([]);
  });
});

test('what came by each door is counted', async () => {
  const registry = openMetrics('main');
  registerDoorCounts(registry, door);
  const before = { ...door.counts.influx };
  await post('/write?db=d', 'm,device=d v=1,w=2\nm,device=d v=');
  const text = await registry.metrics();
  expect(text).toMatch(new RegExp(`selsyn_door_points_total\\{.*door="influx".*\\} ${before.points + 2}\n`));
  expect(text).toMatch(new RegExp(`selsyn_door_refused_total\\{.*door="influx".*\\} ${before.refused + 1}\n`));
});

test('where access is open, any key that writes makes devices', async () => {
  await api[Symbol.asyncDispose]();
  await open(true);
  const key = await keyOf(['telemetry:write'], '/');
  expect((await post('/api/v2/write', 'm,host=telegraf-1 v=1', token(key))).statusCode).toBe(204);
  const device = await api.app.inject({ url: '/api/v1/devices/telegraf-1', headers: asAdmin });
  expect(device.json()).toMatchObject({ group: '/', tags: ['open'] });
});

test('what a body of remote write unpacks to counts before it is unpacked', async () => {
  const headers = { ...asAdmin, 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' };
  // Four bytes that say that they are ten million.
  const packed = Buffer.from([0x80, 0xad, 0xe2, 0x04]);
  const others = Array.from({ length: 5 }, () => door.bodies.reserve(25_000_000));
  const refused = await post('/api/v1/write', packed, headers);
  expect([refused.statusCode, refused.headers['retry-after']]).toEqual([503, '1']);
  for (const other of others) other[Symbol.dispose]();
  expect((await post('/api/v1/write', packed, headers)).statusCode).toBe(400);
});
