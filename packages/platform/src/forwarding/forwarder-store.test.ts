import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemActor } from '../audit/actor.ts';
import { openSqliteDatabase, type OpenDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { Secrets } from '../secrets/secrets.ts';
import { FileMasterKeys } from '../secrets/drivers/file-master-keys.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ForwarderDraft, ForwarderStore, MAX_FORWARDERS, shown } from './forwarder-store.ts';

const actor = systemActor('test');
const draft: ForwarderDraft = {
  id: 'hook',
  target: { kind: 'webhook', url: 'https://example.com/in' },
  secrets: { signingKey: 'top-secret', authorization: 'Bearer also-secret' },
};

let dir: string;
let open: OpenDatabase;
let secrets: Secrets;
let store: ForwarderStore;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'selsyn-forwarders-'));
  open = openSqliteDatabase(':memory:');
  await migrate(open.database);
  const clock = new FakeClock();
  const keys = new FileMasterKeys({ path: join(dir, 'master.key'), random: randomBytes });
  const dependencies = { database: open.database, clock, random: randomBytes, logLines: silentLogLines };
  secrets = await Secrets.open(dependencies, { current: keys.make(), others: [], place: keys.path }, keys);
  store = new ForwarderStore({ database: open.database, clock, sealer: secrets.sealer });
});
afterEach(async () => {
  await secrets[Symbol.asyncDispose]();
  await open[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

test('keeps what it is given, with defaults, and shows no secret', async () => {
  const made = await store.create(draft, actor);
  expect(made.forwarder).toMatchObject({
    format: 'raw',
    filter: {},
    startAt: 'now',
    paused: false,
    batch: { maxRecords: 1_000 },
  });
  expect(await store.get('hook')).toEqual(made);
  expect(await store.list()).toEqual([made]);
  expect(shown(made).secretNames).toEqual(['authorization', 'signingKey']);
  const influx = { id: 'i', target: { kind: 'influxdb', url: 'http://a', database: 'd' } } as const;
  expect((await store.create(influx, actor)).forwarder.format).toBe('samples');
  await expect(store.create(draft, actor)).rejects.toMatchObject({ code: 'forwarder.exists' });
  await expect(store.get('nobody')).rejects.toMatchObject({ code: 'forwarder.not-found' });
});

test('leaves no secret in the database or in the audit trail', async () => {
  await store.create(draft, actor);
  await store.update('hook', { secrets: { signingKey: 'another-secret' }, paused: true }, actor);
  await store.remove('hook', actor);
  const trail = await open.database.selectFrom('audit_entry').selectAll().orderBy('id').execute();
  expect(trail.map(({ action }) => action)).toEqual(['forwarder.create', 'forwarder.update', 'forwarder.delete']);
  await store.create(draft, actor);
  const rows = await open.database.selectFrom('forwarder').selectAll().execute();
  for (const text of [JSON.stringify(trail), JSON.stringify(rows)])
    expect(text).not.toMatch(/top-secret|also-secret|another-secret/);
});

test('changes what it is told, and keeps the rest', async () => {
  await store.create(draft, actor);
  const changed = await store.update('hook', { paused: true, batch: { lingerMs: 5 }, secrets: { authorization: null } }, actor);
  expect(changed).toMatchObject({ forwarder: { paused: true, batch: { maxRecords: 1_000, lingerMs: 5 }, target: draft.target } });
  expect(changed.secrets).toEqual({ signingKey: 'top-secret' });
  expect(await store.get('hook')).toEqual(changed);
});

test('sends secrets to no other place than they were given for', async () => {
  await store.create(draft, actor);
  const target = { kind: 'webhook', url: 'https://evil.example/in' } as const;
  await expect(store.update('hook', { target }, actor)).rejects.toMatchObject({ code: 'request.invalid' });
  await expect(store.update('hook', { target, secrets: { signingKey: 'x' } }, actor)).rejects.toMatchObject({
    code: 'request.invalid',
  });
  const moved = await store.update('hook', { target, secrets: { signingKey: 'x', authorization: null } }, actor);
  expect(moved.secrets).toEqual({ signingKey: 'x' });
  // Another path of the same place is no other place.
  await store.update('hook', { target: { kind: 'webhook', url: 'https://evil.example/other' } }, actor);
});

test.each<readonly [string, ForwarderDraft, ForwarderDraft['target']]>([
  ['webhook', draft, { kind: 'webhook', url: 'http://example.com/in' }],
  [
    'broker',
    { id: 'm', target: { kind: 'mqtt', url: 'mqtts://m', username: 'u' }, secrets: { password: 'p' } },
    { kind: 'mqtt', url: 'mqtt://m', username: 'u' },
  ],
  [
    'Kafka',
    {
      id: 'k',
      target: { kind: 'kafka', brokers: ['a:1'], topic: 't', secure: true, sasl: { mechanism: 'PLAIN', username: 'u' } },
      secrets: { password: 'p' },
    },
    { kind: 'kafka', brokers: ['a:1'], topic: 't', sasl: { mechanism: 'PLAIN', username: 'u' } },
  ],
])('sends secrets to no %s without TLS where they were given for one with it', async (_, made, target) => {
  await store.create(made, actor);
  await expect(store.update(made.id, { target }, actor)).rejects.toMatchObject({
    code: 'request.invalid',
    details: { field: 'secrets' },
  });
  expect((await store.update(made.id, { target, secrets: made.secrets }, actor)).forwarder.target).toEqual(target);
});

test('is brought under a new data key with everything else that is sealed', async () => {
  await store.create(draft, actor);
  const before = await open.database.selectFrom('forwarder').select('key_id').executeTakeFirstOrThrow();
  await secrets.rotateDataKey(actor);
  await secrets.settled();
  const after = await open.database.selectFrom('forwarder').select('key_id').executeTakeFirstOrThrow();
  expect(after.key_id).not.toBe(before.key_id);
  expect((await store.get('hook')).secrets).toEqual(draft.secrets);
});

test('has so many and no more', async () => {
  for (let n = 0; n < MAX_FORWARDERS; n += 1) await store.create({ ...draft, id: `f${n}` }, actor);
  await expect(store.create(draft, actor)).rejects.toMatchObject({ code: 'request.too-large' });
});

test.each<[string, Partial<ForwarderDraft>]>([
  ['id', { id: 'a/b' }],
  ['target.url', { target: { kind: 'webhook', url: 'ftp://a' } }],
  ['target.url', { target: { kind: 'webhook', url: 'https://user:password@a' } }],
  ['target.url', { target: { kind: 'webhook', url: 'http://169.254.169.254/' } }],
  ['target.headers', { target: { kind: 'webhook', url: 'https://a', headers: { Authorization: 'x' } } }],
  ['target.headers', { target: { kind: 'webhook', url: 'https://a', headers: { 'x-a': 'a\r\nb: c' } } }],
  ['target.url', { target: { kind: 'mqtt', url: 'http://a' }, secrets: {} }],
  ['target.topic', { target: { kind: 'mqtt', url: 'mqtt://a', topic: 'a/#' }, secrets: {} }],
  ['target.topic', { target: { kind: 'mqtt', url: 'mqtt://a', topic: '${other}' }, secrets: {} }],
  ['target.topic', { target: { kind: 'mqtt', url: 'mqtt://a', topic: '$SYS/x' }, secrets: {} }],
  ['target.brokers', { target: { kind: 'kafka', brokers: ['a'], topic: 't' }, secrets: {} }],
  ['target.brokers', { target: { kind: 'kafka', brokers: ['[fd00:ec2::254]:1'], topic: 't' }, secrets: {} }],
  ['target.topic', { target: { kind: 'kafka', brokers: ['a:1'], topic: 'a b' }, secrets: {} }],
  ['target', { target: { kind: 'influxdb', url: 'http://a' }, secrets: {} }],
  ['target.org', { target: { kind: 'influxdb', url: 'http://a', bucket: 'b' }, secrets: {} }],
  ['format', { target: { kind: 'influxdb', url: 'http://a', database: 'd' }, format: 'raw', secrets: {} }],
  ['secrets.token', { secrets: { token: 'x' } }],
  ['filter.metrics', { filter: { metrics: ['t'] } }],
  ['filter.topics', { filter: { topics: ['a/#/b'] } }],
  ['filter.types', { filter: { types: ['a"b'] } }],
])('refuses what can never work: %s %j', async (field, change) => {
  await expect(store.create({ ...draft, ...change }, actor)).rejects.toMatchObject({
    code: 'request.invalid',
    message: expect.stringContaining(`${field}: `),
    details: { field },
  });
});

test('refuses a filter that is none', async () => {
  await expect(store.create({ ...draft, filter: { filter: 'type =' } }, actor)).rejects.toMatchObject({
    code: 'request.invalid',
  });
  await expect(store.create({ ...draft, filter: { group: 'no-slash' } }, actor)).rejects.toMatchObject({
    code: 'request.invalid',
  });
});
