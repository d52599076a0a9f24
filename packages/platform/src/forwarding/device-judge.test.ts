import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSqliteDatabase, type OpenDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { ConnectivityStore } from '../registry/connectivity-store.ts';
import { DeviceStore } from '../registry/device-store.ts';
import { DeviceTypeStore } from '../registry/device-type-store.ts';
import { systemActor } from '../audit/actor.ts';
import { DeviceJudge } from './device-judge.ts';

let open: OpenDatabase;
let clock: FakeClock;
let devices: DeviceStore;

beforeEach(async () => {
  open = openSqliteDatabase(':memory:');
  await migrate(open.database);
  clock = new FakeClock();
  devices = new DeviceStore({ database: open.database, clock });
  await new DeviceTypeStore({ database: open.database, clock }).create({ name: 'pump' }, systemActor('test'));
  await devices.create({ id: 'a' as DeviceId, type: 'pump', group: '/x/y', tags: ['north'] });
  await devices.create({ id: 'b' as DeviceId, group: '/x' });
});
afterEach(async () => {
  await open[Symbol.asyncDispose]();
});

const all = new Set(['a', 'b', 'nobody']);

async function passing(filter: ConstructorParameters<typeof DeviceJudge>[0]['filter']): Promise<string[]> {
  const judge = new DeviceJudge({ registry: open.database, clock, filter });
  const found = await judge.ask(all);
  for (const [device, passes] of found) expect(judge.known(device)).toBe(passes);
  return [...found].flatMap(([device, passes]) => (passes ? [device] : []));
}

test('knows groups, types and filters, which must hold together', async () => {
  expect(await passing({ group: '/x' })).toEqual(['a', 'b']);
  expect(await passing({ types: ['pump', 'fan'] })).toEqual(['a']);
  expect(await passing({ filter: 'not tags has "north" or type = "fan"', group: '/x' })).toEqual(['b']);
  expect(await passing({ filter: 'tags has "north" or tags has "south"', types: ['fan'] })).toEqual([]);
});

test('forgets what is not so any more, and does not keep what was read before it was told of a change', async () => {
  const judge = new DeviceJudge({ registry: open.database, clock, filter: { group: '/x/y' } });
  expect((await judge.ask(all)).get('b')).toBe(false);
  await devices.update('b' as DeviceId, { group: '/x/y' });
  judge.forget('b');
  expect(judge.known('b')).toBeUndefined();
  expect(judge.known('a')).toBe(true);
  const asking = judge.ask(new Set(['b']));
  judge.forget('b');
  expect((await asking).get('b')).toBe(true);
  expect(judge.known('b')).toBeUndefined();
  judge.clear();
  expect(judge.known('a')).toBeUndefined();
});

test('asks now and then who is connected, where the filter does', async () => {
  const judge = new DeviceJudge({
    registry: open.database,
    clock,
    filter: { filter: 'not (type = "fan") and connected = true' },
  });
  clock.advance(60_000);
  expect((await judge.ask(all)).get('a')).toBe(false);
  await new ConnectivityStore({ database: open.database }).record([
    { deviceId: 'a', connected: true, atMs: clock.now() } as never,
  ]);
  judge.refresh();
  expect(judge.known('a')).toBe(false);
  clock.advance(30_001);
  judge.refresh();
  expect(judge.known('a')).toBeUndefined();
  expect((await judge.ask(all)).get('a')).toBe(true);
});
