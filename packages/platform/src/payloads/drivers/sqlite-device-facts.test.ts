import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemActor } from '../../audit/actor.ts';
import { openSqliteDatabase, type OpenDatabase } from '../../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../../database/migrate.ts';
import { parseDeviceId } from '../../kernel/device-id.ts';
import { FakeClock } from '../../kernel/fake-clock.ts';
import { DeviceStore } from '../../registry/device-store.ts';
import { DeviceTypeStore } from '../../registry/device-type-store.ts';
import { lastRegistryChange, trimRegistryStream } from '../../registry/registry-stream.ts';
import { DecoderStore } from '../decoder-store.ts';
import { decode, refusal } from '../payloads.fixture.ts';
import { SqliteDeviceFacts } from './sqlite-device-facts.ts';

const ACTOR = systemActor('test');
let folder = '';
let registry: OpenDatabase;
let devices: DeviceStore;
let types: DeviceTypeStore;
let decoders: DecoderStore;
let facts: SqliteDeviceFacts;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'selsyn-facts-'));
  const file = path.join(folder, 'registry.db');
  registry = openSqliteDatabase(file);
  await migrate(registry.database);
  const dependencies = { database: registry.database, clock: new FakeClock() };
  devices = new DeviceStore(dependencies);
  types = new DeviceTypeStore(dependencies);
  decoders = new DecoderStore(dependencies);
  facts = new SqliteDeviceFacts(file);
});

afterEach(async () => {
  facts[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const add = async (id: string, type?: string) => await devices.create({ id: parseDeviceId(id), type }, ACTOR);

test('a device is read as its type says, from the commit on', async () => {
  facts.follow();
  expect(facts.of('a')).toMatchObject({ type: undefined, decoder: undefined, ranges: undefined });
  await types.create({ name: 'probe', codec: 'cbor', telemetry: [{ metric: 't', type: 'number', max: 5 }], maxSeries: 7 }, ACTOR);
  await add('a', 'probe');
  await add('b');
  const before = facts.of('a');
  facts.follow();
  expect(before.stale).toBe(true);
  const known = facts.of('a');
  expect(known).toMatchObject({ type: 'probe', stale: false, limits: { series: 7 } });
  expect(known.ranges).toBeDefined();
  expect(decode(known.decoder!, Buffer.from('a1616101', 'hex'))).toEqual([['arrival', { a: 1 }]]);
  expect(facts.of('b').type).toBeUndefined();
  expect(facts.of('nobody').type).toBeUndefined();
});

test('tells which devices were changed, and says nothing while nobody was', async () => {
  await types.create({ name: 'probe', codec: 'cbor' }, ACTOR);
  await add('a');
  facts.follow();
  const untyped = facts.of('a');
  expect(facts.follow()).toEqual([]);
  await devices.update(parseDeviceId('a'), { type: 'probe' }, ACTOR);
  await add('b');
  expect([...facts.follow()].sort()).toEqual(['a', 'b']);
  expect(untyped.stale).toBe(false);
  expect(facts.of('a').type).toBe('probe');
  await devices.remove(parseDeviceId('a'), ACTOR);
  expect(facts.follow()).toEqual(['a']);
  expect(facts.of('a').type).toBeUndefined();
});

test('a decoder that is declared, changed or taken away counts at once, as does the codec of a type', async () => {
  await types.create({ name: 'probe', codec: 'mine' }, ACTOR);
  await add('a', 'probe');
  facts.follow();
  const missing = facts.of('a');
  expect(refusal(missing.decoder!, 'x')).toBe(
    'malformed: The codec of the device type is "mine", and there is no decoder of this name.',
  );
  await decoders.create({ name: 'mine', format: { kind: 'packed', layout: '>B', fields: ['v'] } }, ACTOR);
  facts.follow();
  expect(missing.stale).toBe(true);
  expect(decode(facts.of('a').decoder!, Uint8Array.of(7))).toEqual([['arrival', { v: 7 }]]);
  await decoders.update('mine', { format: { kind: 'packed', layout: '>B', fields: ['w'] } }, ACTOR);
  facts.follow();
  expect(decode(facts.of('a').decoder!, Uint8Array.of(7))).toEqual([['arrival', { w: 7 }]]);
  await types.update('probe', { codec: '' }, ACTOR);
  facts.follow();
  expect(facts.of('a').decoder).toBeUndefined();
  await decoders.remove('mine', ACTOR);
});

test('where changes were taken away before they were seen, everything is asked for again', async () => {
  await types.create({ name: 'probe', codec: 'cbor' }, ACTOR);
  await add('a');
  facts.follow();
  const before = facts.of('a');
  await devices.update(parseDeviceId('a'), { type: 'probe' }, ACTOR);
  await add('b');
  await trimRegistryStream(registry.database, await lastRegistryChange(registry.database));
  expect(facts.follow()).toEqual([]);
  expect(before.stale).toBe(true);
  expect(facts.of('a').type).toBe('probe');
  const after = facts.of('a');
  await add('c');
  expect(facts.follow()).toEqual(['c']);
  expect(after.stale).toBe(false);
});

test('a registry that was set back to a backup is read from nothing', async () => {
  await types.create({ name: 'probe', codec: 'cbor' }, ACTOR);
  for (const id of ['a', 'b', 'c']) await add(id, 'probe');
  facts.follow();
  const before = facts.of('a');
  await registry.database.deleteFrom('registry_change').where('sequence', '>', 1).execute();
  facts.follow();
  expect(before.stale).toBe(true);
  expect(facts.of('a').type).toBe('probe');
});

test('a registry that cannot be read is told of, and read again once it can', async () => {
  const absent = new SqliteDeviceFacts(path.join(folder, 'later.db'));
  expect(() => absent.follow()).toThrow(expect.objectContaining({ code: 'data.unwritable' }));
  const later = openSqliteDatabase(path.join(folder, 'later.db'));
  await migrate(later.database);
  await new DeviceTypeStore({ database: later.database, clock: new FakeClock() }).create({ name: 'probe' }, ACTOR);
  absent.follow();
  expect(absent.of('x').type).toBeUndefined();
  absent[Symbol.dispose]();
  await later[Symbol.asyncDispose]();
});

test('an alias of ThingsBoard is read as its JSON whatever the type says, and doors of points as the platform’s own', () => {
  const decoder = facts.decoderOf('v1/devices/me/telemetry', facts.of('a'));
  expect(decode(decoder!, '{"a":{"b":1}}')).toEqual([['arrival', { a: '{"b":1}' }]]);
  expect(facts.decoderOf('$selsyn/points/a', facts.of('a'))).toBeUndefined();
});
