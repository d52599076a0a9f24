import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSqliteDatabase, openSqliteReader, type OpenDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { DeviceStore } from '../registry/device-store.ts';
import type { AccessGranted, AccessRefused, AccessStep } from './access-decision.ts';
import { DeviceAuthorizer } from './device-authorizer.ts';
import { DeviceTokens } from './device-tokens.ts';
import { ScramClient } from './scram-client.fixture.ts';

const boiler = parseDeviceId('boiler');
let folder = '';
let writer: OpenDatabase;
let reader: OpenDatabase;
let tokens: DeviceTokens;
let authorizer: DeviceAuthorizer;
const SCRAM_KEY = Buffer.alloc(32, 7);

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'selsyn-identity-'));
  writer = openSqliteDatabase(path.join(folder, 'registry.db'));
  await migrate(writer.database);
  reader = openSqliteReader(path.join(folder, 'registry.db'));
  let calls = 0;
  const random = (count: number) => createHash('shake256', { outputLength: count }).update(String(calls++)).digest();
  tokens = new DeviceTokens({ database: writer.database, clock: new FakeClock(), random });
  authorizer = new DeviceAuthorizer({ database: reader.database, clock: new FakeClock(), random, scramKey: SCRAM_KEY });
});

afterEach(async () => {
  await reader[Symbol.asyncDispose]();
  await writer[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

async function connect(username: string | undefined, password: string | undefined): Promise<AccessGranted | AccessRefused> {
  return await authorizer.authenticate({
    clientId: 'c',
    certificate: undefined,
    username,
    password: password === undefined ? undefined : Buffer.from(password),
  });
}

/** A whole SCRAM exchange: its end, and whether the client believes the server. */
async function prove(
  username: string,
  password: string,
  by = authorizer,
): Promise<{ end: AccessStep; salt: string; mutual: boolean }> {
  const exchange = by.beginExchange('SCRAM-SHA-256', { clientId: 'c' });
  const client = new ScramClient(username, password);
  const first = await exchange?.step(client.first());
  if (exchange === undefined || first === undefined || !('challenge' in first)) throw new Error('no challenge');
  const end = await exchange.step(client.final(first.challenge));
  const salt = /,s=([^,]*),i=4096$/.exec(Buffer.from(first.challenge).toString())?.[1] ?? '';
  return { end, salt, mutual: 'granted' in end && client.accepts(end.data) };
}

test('a device that shows its token is let in as itself', async () => {
  const { token } = await tokens.enrol({ id: boiler });
  expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(await connect('boiler', token)).toMatchObject({ id: 'boiler', sessionNamespace: 'boiler' });
});

test('a device that shows nothing but its token, as those of ThingsBoard do, is let in as its owner', async () => {
  const { token } = await tokens.enrol({ id: boiler });
  expect(await connect(token, undefined)).toMatchObject({ id: 'boiler', sessionNamespace: 'boiler' });
  expect(await connect(token, '')).toMatchObject({ id: 'boiler' });
  const refused = { refused: 'bad-credentials' };
  expect(await connect(`${token}x`, undefined)).toMatchObject(refused);
  expect(await connect(token, token)).toMatchObject(refused);
  expect(await connect('boiler', undefined)).toMatchObject(refused);
  const known = await connect(token, undefined);
  if ('refused' in known) throw new Error('refused');
  const next = await tokens.rotate(boiler);
  expect(await connect(token, undefined)).toMatchObject(refused);
  expect(await authorizer.renew(known)).toMatchObject(refused);
  expect(await connect(next, undefined)).toMatchObject({ id: 'boiler' });
});

test('a device that may send its telemetry may send it to the topics of ThingsBoard too, and no other may', async () => {
  const { token } = await tokens.enrol({ id: boiler });
  const device = await connect('boiler', token);
  if ('refused' in device) throw new Error('refused');
  for (const topic of ['v1/devices/me/telemetry', 'v2/t', 'v2/t/j'])
    expect([topic, device.mayPublish(topic)]).toEqual([topic, true]);
  for (const topic of ['v1/devices/me/attributes', 'v2/a', 'v2/t/p', 'telemetry/other']) {
    expect([topic, device.mayPublish(topic)]).toEqual([topic, false]);
  }
  const document = JSON.stringify({ statements: [{ effect: 'deny', actions: ['publish'], topics: ['telemetry/${device.id}'] }] });
  await writer.database
    .insertInto('policy')
    .values({ name: 'mute', description: '', document, created_at_ms: 1, updated_at_ms: 1 })
    .execute();
  await writer.database
    .insertInto('policy_attachment')
    .values({ policy_name: 'mute', target_kind: 'device', target_id: 'boiler' })
    .execute();
  await writer.database
    .updateTable('access_version')
    .set((builder) => ({ version: builder('version', '+', 1) }))
    .execute();
  const muted = await connect('boiler', token);
  if ('refused' in muted) throw new Error('refused');
  expect(muted.mayPublish('v1/devices/me/telemetry')).toBe(false);
});

test('every refusal is the same answer', async () => {
  const { token } = await tokens.enrol({ id: boiler });
  await new DeviceStore({ database: writer.database, clock: new FakeClock() }).ensure([parseDeviceId('tokenless')]);
  const refusals = await Promise.all([
    connect('unknown', token),
    connect('boiler', `${token}x`),
    connect('boiler', token.slice(1)),
    connect('boiler', ''),
    connect('boiler', undefined),
    connect(undefined, token),
    connect('tokenless', ''),
    connect('tokenless', 'A'.repeat(43)),
    connect('boiler/+', token),
    connect("boiler' or 1=1 --", token),
    connect('boiler', 'x'.repeat(100_000)),
  ]);
  for (const refusal of refusals) expect(refusal).toEqual(refusals[0]);
  expect(refusals[0]).toMatchObject({ refused: 'bad-credentials' });
});

test('a new token replaces the old one at once, for readers of other threads too', async () => {
  const { token: old } = await tokens.enrol({ id: boiler });
  expect(await connect('boiler', old)).toHaveProperty('id');
  const fresh = await tokens.rotate(boiler);
  expect(await connect('boiler', old)).toHaveProperty('refused');
  expect(await connect('boiler', fresh)).toHaveProperty('id');
  await tokens.revoke(boiler);
  expect(await connect('boiler', fresh)).toHaveProperty('refused');
});

test.each(['password', 'SCRAM'])(
  'a client that was let in by a token, as %s, is so only while that is the token',
  async (how) => {
    const { token } = await tokens.enrol({ id: boiler });
    const letIn = async (secret: string): Promise<AccessGranted> => {
      const { end } = how === 'SCRAM' ? await prove('boiler', secret) : { end: await connect('boiler', secret) };
      const granted = 'granted' in end ? end.granted : end;
      if (!('mayPublish' in granted)) throw new Error('it was not let in');
      return granted;
    };
    const first = await letIn(token);
    expect(await authorizer.renew(first)).toHaveProperty('id', 'boiler');
    const second = await letIn(await tokens.rotate(boiler));
    expect(await authorizer.renew(first)).toHaveProperty('refused', 'bad-credentials');
    expect(await authorizer.renew(second)).toHaveProperty('id', 'boiler');
    const again = await authorizer.renew(second);
    await tokens.revoke(boiler);
    expect(await authorizer.renew(again as AccessGranted)).toHaveProperty('refused', 'bad-credentials');
  },
);

test('a removed device is out, and a device of the same id that comes later has another token', async () => {
  const devices = new DeviceStore({ database: writer.database, clock: new FakeClock() });
  const { token } = await tokens.enrol({ id: boiler });
  await devices.remove(boiler);
  expect(await connect('boiler', token)).toHaveProperty('refused');
  await tokens.enrol({ id: boiler });
  expect(await connect('boiler', token)).toHaveProperty('refused');
});

test('a device that exists is not enrolled again, and its token stays', async () => {
  const { token } = await tokens.enrol({ id: boiler });
  await expect(tokens.enrol({ id: boiler })).rejects.toMatchObject({ code: 'device.exists' });
  await expect(tokens.rotate(parseDeviceId('other'))).rejects.toMatchObject({ code: 'device.not-found' });
  expect(await connect('boiler', token)).toHaveProperty('id');
});

test('a device that proves by SCRAM that it has its token is let in as itself, and knows the server', async () => {
  const { token } = await tokens.enrol({ id: boiler });
  expect(await prove('boiler', token)).toMatchObject({
    end: { granted: { id: 'boiler', sessionNamespace: 'boiler' } },
    mutual: true,
  });
  expect((await prove('boiler', `${token}x`)).end).toMatchObject({ refused: 'bad-credentials' });
  const fresh = await tokens.rotate(boiler);
  expect((await prove('boiler', token)).end).toHaveProperty('refused');
  expect((await prove('boiler', fresh)).end).toHaveProperty('granted');
  await tokens.revoke(boiler);
  expect((await prove('boiler', fresh)).end).toHaveProperty('refused');
});

test('a challenge does not tell which devices there are: not by its form, nor by changing from one thread to the next', async () => {
  const { token } = await tokens.enrol({ id: boiler });
  const other = new DeviceAuthorizer({
    database: writer.database,
    clock: new FakeClock(),
    random: (count) => Buffer.alloc(count, 9),
    scramKey: SCRAM_KEY,
  });
  const salts = new Set<string>();
  for (const name of ['boiler', 'unknown', 'unknown2', 'boiler/+']) {
    const [here, there] = [await prove(name, token), await prove(name, token, other)];
    expect(Buffer.from(here.salt, 'base64')).toHaveLength(16);
    expect(there.salt).toBe(here.salt);
    expect('granted' in here.end).toBe(name === 'boiler');
    salts.add(here.salt);
  }
  expect(salts.size).toBe(4);
  expect((await prove('unknown', token)).end).toEqual((await prove('boiler', 'another')).end);
});

test('a token that was given before SCRAM was serves as a password only, until there is a new one', async () => {
  const { token } = await tokens.enrol({ id: boiler });
  const none = { scram_salt: null, scram_iterations: null, scram_stored_key: null, scram_server_key: null };
  await writer.database.updateTable('device_token').set(none).execute();
  expect(await connect('boiler', token)).toHaveProperty('id');
  expect((await prove('boiler', token)).end).toMatchObject({ refused: 'bad-credentials' });
  expect((await prove('boiler', await tokens.rotate(boiler))).end).toHaveProperty('granted');
});

test('there is no other method than SCRAM-SHA-256', () => {
  for (const method of ['', 'SCRAM-SHA-1', 'SCRAM-SHA-256-PLUS', 'scram-sha-256', 'PLAIN']) {
    expect(authorizer.beginExchange(method, { clientId: 'c' })).toBeUndefined();
  }
});

test('no token stands in any file, only its hash', async () => {
  const { token } = await tokens.enrol({ id: boiler });
  const rotated = await tokens.rotate(boiler);
  const files = readdirSync(folder).map((name) => readFileSync(path.join(folder, name)));
  expect(files.some((bytes) => bytes.includes(createHash('sha256').update(rotated).digest('base64url')))).toBe(true);
  for (const bytes of files) {
    for (const secret of [token, rotated]) {
      expect(bytes.includes(secret)).toBe(false);
      expect(bytes.includes(Buffer.from(secret, 'base64url'))).toBe(false);
    }
  }
});

test('a registry that cannot be read keeps everybody out', async () => {
  const { token } = await tokens.enrol({ id: boiler });
  await reader[Symbol.asyncDispose]();
  expect(await connect('boiler', token)).toMatchObject({ refused: 'server-busy' });
  const step = await authorizer.beginExchange('SCRAM-SHA-256', { clientId: 'c' })?.step(new ScramClient('boiler', token).first());
  expect(step).toMatchObject({ refused: 'server-busy' });
});

test('what an SDK puts behind a question mark in its username is no part of the name', async () => {
  const { token } = await tokens.enrol({ id: boiler });
  expect(await connect('boiler?SDK=NodeJSv2&Version=1.28.0', token)).toMatchObject({ id: 'boiler' });
  expect(await connect('?SDK=NodeJSv2', token)).toMatchObject({ refused: 'bad-credentials' });
  expect(await connect('boiler?', `${token}x`)).toMatchObject({ refused: 'bad-credentials' });
});
