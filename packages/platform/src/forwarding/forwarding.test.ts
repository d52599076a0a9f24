import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DeviceId } from '../kernel/device-id.ts';
import { systemClock } from '../kernel/clock.ts';
import type { Offset, PartitionId } from '../log/log.ts';
import { DeviceStore } from '../registry/device-store.ts';
import { DeliveryError } from './delivery.ts';
import { PlaceStore } from './place-store.ts';
import { forwarderOf, ForwardingFolder, until } from './forwarding.fixture.ts';

const FIRST = 0 as PartitionId;

let folder: ForwardingFolder;

beforeEach(async () => {
  folder = await ForwardingFolder.open();
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

function numbers(from: number, upTo: number): string[] {
  return Array.from({ length: upTo - from }, (_, n) => String(from + n));
}

test('sends what the log has and what comes, each partition in its order', async () => {
  await folder.append(0, 'a', ...numbers(0, 50));
  await folder.start(forwarderOf('f', { batch: { maxRecords: 7, maxBytes: 1e6, lingerMs: 0 } }));
  await folder.append(1, 'b', ...numbers(0, 50));
  await folder.append(0, 'a', ...numbers(50, 60));
  const target = folder.target('f');
  await until(() => target.records.length === 110);
  const of = (device: string) =>
    target.records.filter((record) => record.device === device).map(({ payload }) => Buffer.from(payload).toString());
  expect(of('a')).toEqual(numbers(0, 60));
  expect(of('b')).toEqual(numbers(0, 50));
  expect(target.records.find(({ device }) => device === 'b')).toMatchObject({ partition: 1, offset: 0, topic: 'telemetry/b' });
  expect(Math.max(...target.deliveries.map(({ records }) => records.length))).toBe(7);
  await folder.stop();
  expect(target.closed).toBe(1);
});

test('begins with what comes where it was made to, and counts what it has not sent', async () => {
  await folder.append(0, 'a', ...numbers(0, 5));
  await folder.start();
  const answer = Promise.withResolvers<void>();
  folder.target('f').before = async () => await answer.promise;
  await folder.forwarding.put(forwarderOf('f', { startAt: 'now' }));
  await folder.append(0, 'a', ...numbers(5, 8));
  await until(() => folder.target('f').deliveries.length === 1);
  const [state] = await folder.forwarding.states();
  expect(state).toMatchObject({ lagRecords: 3, sent: 0, circuit: 'closed' });
  expect(state?.lagBytes).toBeGreaterThan(0);
  expect(folder.target('f').deliveries[0]?.records.map(({ offset }) => offset)).toEqual([5, 6, 7]);
  answer.resolve();
  await folder.stop();
});

test('goes on after a restart where it was: what was delivered and not yet kept comes again, nothing is missing', async () => {
  await folder.start(forwarderOf('f'));
  await folder.append(0, 'a', ...numbers(0, 20));
  await until(() => folder.target('f').records.length === 20);
  await folder.stop();
  const before = folder.target('f').records.length;
  await folder.append(0, 'a', ...numbers(20, 25));
  await folder.start(forwarderOf('f'));
  await until(() => folder.target('f').records.length === before + 5);
  expect(folder.target('f').texts().slice(before)).toEqual(numbers(20, 25));
  expect(await folder.forwarding.states()).toMatchObject([{ sent: 25, batches: expect.any(Number) as number }]);
  await folder.stop();
});

test('sends what takes the offsets of records that the log has lost after they were sent', async () => {
  await folder.start(forwarderOf('f'));
  await folder.append(0, 'a', ...numbers(0, 5));
  await until(() => folder.target('f').records.length === 5);
  await folder.stop();
  const places = PlaceStore.open(join(folder.dir, 'forwarding.db'));
  // As it is kept, when the log had three more that it has lost since.
  const lost = new Map([[0, { position: 8, arrivalMs: 1 }]]);
  places.save([{ forwarder: 'f', places: lost, counters: places.counters('f') }]);
  places[Symbol.dispose]();
  await folder.start(forwarderOf('f'));
  await folder.append(0, 'a', ...numbers(5, 12));
  await until(() => folder.target('f').records.length >= 12);
  expect(folder.target('f').texts()).toEqual(numbers(0, 12));
  await folder.stop();
});

test('begins with all that another log has also where it ended before its places in it were kept', async () => {
  await folder.start(forwarderOf('f', { startAt: 'now' }));
  await folder.append(0, 'a', ...numbers(0, 5));
  await until(() => folder.target('f').records.length === 5);
  await folder.stop();
  await folder.closeLog();
  await folder.openLog({ name: 'other' });
  await folder.append(0, 'a', ...numbers(5, 9));
  // As a kill leaves it that comes while it begins.
  const places = PlaceStore.open(join(folder.dir, 'forwarding.db'));
  places.useLog(folder.log.identity);
  places[Symbol.dispose]();
  await folder.start(forwarderOf('f', { startAt: 'now' }));
  await folder.append(0, 'a', '9');
  await until(() => folder.target('f').texts().includes('9'));
  expect(folder.target('f').texts()).toEqual(numbers(0, 10));
  await folder.stop();
});

test('holds the log for the slowest, also for one that is paused, and lets go of it with that one', async () => {
  await folder.start(forwarderOf('fast'), forwarderOf('slow', { paused: true }));
  await folder.fill(0, 20);
  await until(() => folder.target('fast').records.length === 20);
  await folder.forwarding.put(forwarderOf('fast'));
  await folder.log.release(FIRST, 20 as Offset);
  expect(await folder.oldest(0)).toBe(0);
  await folder.forwarding.put(forwarderOf('slow'));
  await until(() => folder.target('slow').records.length === 20);
  await folder.stop();
  await folder.log.release(FIRST, 20 as Offset);
  expect(await folder.oldest(0)).toBeGreaterThan(15);

  await folder.start(forwarderOf('slow', { paused: true }));
  await folder.fill(0, 20);
  await folder.log.release(FIRST, 40 as Offset);
  expect(await folder.oldest(0)).toBeLessThanOrEqual(20);
  await folder.forwarding.remove('slow');
  await folder.log.release(FIRST, 40 as Offset);
  expect(await folder.oldest(0)).toBeGreaterThan(35);
  await folder.stop();
});

test('counts and tells what the log has let go of before it could be sent', async () => {
  await folder.start(forwarderOf('f', { paused: true }));
  await folder.fill(0, 20);
  folder.log.hold(FIRST, undefined);
  await folder.log.release(FIRST, 20 as Offset);
  const oldest = await folder.oldest(0);
  expect(oldest).toBeGreaterThan(10);
  await folder.forwarding.put(forwarderOf('f'));
  await until(() => folder.target('f').records.length === 20 - oldest);
  expect(await folder.forwarding.states()).toMatchObject([{ skipped: oldest, sent: 20 - oldest, lastSkip: { records: oldest } }]);
  expect(folder.events).toMatchObject([{ event: 'skipped', forwarder: 'f', records: oldest }]);
  await folder.stop();
});

test('a target that fails keeps nobody else from its records', async () => {
  folder.target('dead').before = () => {
    throw new Error('nobody is there');
  };
  await folder.start(forwarderOf('dead'), forwarderOf('well'));
  await folder.append(0, 'a', ...numbers(0, 10));
  await until(() => folder.target('well').records.length === 10);
  await until(() => folder.target('dead').deliveries.length > 0);
  const states = await folder.forwarding.states();
  expect(states).toMatchObject([
    { id: 'dead', sent: 0, lagRecords: 10, circuit: 'retrying', lastError: { message: 'nobody is there' } },
    { id: 'well', sent: 10, lagRecords: 0, circuit: 'closed' },
  ]);
  await folder.stop();
});

test('keeps what is refused aside over a restart, sends it again, and gives it up', async () => {
  const target = folder.target('f');
  target.before = ({ records }) => {
    if (records.some(({ payload }) => Buffer.from(payload).toString() === 'bad')) throw new DeliveryError('refused', 'it is bad');
  };
  await folder.start(forwarderOf('f'));
  await folder.append(0, 'a', 'good', 'bad', 'fine');
  await until(() => target.records.length === 2 && folder.places.refusedCount('f') === 1);
  await folder.stop();
  await folder.start(forwarderOf('f'));
  expect(folder.forwarding.refused('f', 0, 10)).toMatchObject([{ offset: 1, device: 'a', reason: 'it is bad', partition: 0 }]);
  expect(await folder.forwarding.states()).toMatchObject([{ refused: 1, sent: 2, lagRecords: 0 }]);
  expect(await folder.forwarding.resend('f')).toEqual({ sent: 0, left: 1 });
  target.before = () => undefined;
  expect(await folder.forwarding.resend('f')).toEqual({ sent: 1, left: 0 });
  expect(target.texts()).toEqual(['good', 'fine', 'bad']);
  expect(folder.forwarding.discard('f')).toEqual({ discarded: 0 });
  expect(folder.events).toMatchObject([{ event: 'refused', message: 'it is bad' }]);
  await folder.stop();
});

test('sends of what was refused only what is wanted, and keeps aside what it cannot read any more', async () => {
  const target = folder.target('f');
  target.before = () => {
    throw new DeliveryError('refused', 'it is bad');
  };
  const samples = forwarderOf('f', { format: 'samples', filter: { metrics: ['t'] } });
  await folder.start(samples);
  await folder.append(0, 'a', '{"t":1,"secret":2}');
  await until(() => folder.places.refusedCount('f') === 1);
  folder.places.putRefused('f', {
    ...folder.places.refused('f', 0, 1)[0]!,
    offset: 1,
    payload: Buffer.from('no telemetry of today'),
  });
  target.before = () => undefined;
  expect(await folder.forwarding.resend('f')).toEqual({ sent: 1, left: 1 });
  expect(target.records.map(({ samples: sent }) => sent?.map(({ values }) => values))).toEqual([[{ t: 1 }]]);
  expect(folder.forwarding.refused('f', 0, 10)).toMatchObject([{ offset: 1, reason: expect.stringContaining('cannot be read') }]);
  await folder.stop();
});

test('a delivery has no more points than one message may, however small the records are', async () => {
  const values = Object.fromEntries(Array.from({ length: 256 }, (_, n) => [`m${n}`, n]));
  await folder.append(0, 'a', ...Array.from({ length: 500 }, () => JSON.stringify(values)));
  await folder.start(forwarderOf('f', { format: 'samples', batch: { maxRecords: 1_000, maxBytes: 1e9, lingerMs: 0 } }));
  const target = folder.target('f');
  await until(() => target.records.length === 500);
  expect(Math.max(...target.deliveries.map(({ records }) => records.length))).toBeLessThanOrEqual(Math.ceil(100_000 / 256));
  await folder.stop();
});

test('keeps nothing of a device that was removed', async () => {
  const devices = new DeviceStore({ database: folder.registry.database, clock: systemClock });
  await devices.create({ id: 'a' as DeviceId });
  await devices.create({ id: 'b' as DeviceId });
  folder.target('f').before = () => {
    throw new DeliveryError('refused', 'no');
  };
  await folder.start(forwarderOf('f'));
  await folder.append(0, 'a', 'of a');
  await folder.append(1, 'b', 'of b');
  await until(() => folder.places.refusedCount('f') === 2);
  await devices.remove('a' as DeviceId);
  await folder.forwarding.followRegistry();
  expect(folder.forwarding.refused('f', 0, 10)).toMatchObject([{ device: 'b' }]);
  expect(await folder.forwarding.states()).toMatchObject([{ refused: 1 }]);
  await folder.stop();
});

test('sends samples of what is telemetry, and counts the rest', async () => {
  await folder.start(forwarderOf('f', { format: 'samples', filter: { metrics: ['t'] } }));
  await folder.append(0, 'a', '{"t":1,"x":2}', 'nonsense', '{"x":3}', '[{"ts":5,"t":true},{"ts":6,"t":"a"}]');
  await until(() => folder.target('f').records.length === 2);
  expect(folder.target('f').records.map(({ samples }) => samples?.map(({ values }) => values))).toEqual([
    [{ t: 1 }],
    [{ t: true }, { t: 'a' }],
  ]);
  expect(await folder.forwarding.states()).toMatchObject([{ sent: 2, undecodable: 1, filtered: 1, lagRecords: 0 }]);
  await folder.stop();
});

test('sends what is of the devices that are wanted, and follows the registry', async () => {
  const { database } = folder.registry;
  const devices = new DeviceStore({ database, clock: systemClock });
  await devices.create({ id: 'a' as DeviceId, tags: ['north'] });
  await devices.create({ id: 'b' as DeviceId, group: '/south' });
  await folder.start(
    forwarderOf('tag', { filter: { filter: 'tags has "north"' } }),
    forwarderOf('group', { filter: { group: '/south' } }),
  );
  await folder.append(0, 'a', 'a1');
  await folder.append(1, 'b', 'b1');
  await folder.append(1, 'nobody', 'n1');
  const sentBy = (id: string) => folder.target(id).texts().toSorted();
  await until(() => sentBy('tag').length === 1 && sentBy('group').length === 1);
  expect([sentBy('tag'), sentBy('group')]).toEqual([['a1'], ['b1']]);
  await devices.update('b' as DeviceId, { tags: ['north'], group: '/north' });
  await folder.forwarding.followRegistry();
  await folder.append(1, 'b', 'b2');
  await until(() => sentBy('tag').length === 2);
  expect(sentBy('tag')).toEqual(['a1', 'b2']);
  expect(sentBy('group')).toEqual(['b1']);
  await folder.stop();
});

test('begins anew with all that the log has, or leaves it out', async () => {
  await folder.start(forwarderOf('f'));
  await folder.append(0, 'a', '1', '2');
  await until(() => folder.target('f').records.length === 2);
  await folder.forwarding.reset('f', 'beginning');
  await until(() => folder.target('f').records.length === 4);
  await folder.forwarding.put(forwarderOf('f', { paused: true }));
  await folder.append(0, 'a', '3');
  await folder.forwarding.reset('f', 'now');
  await folder.forwarding.put(forwarderOf('f'));
  await folder.append(0, 'a', '4');
  await until(() => folder.target('f').records.length === 5);
  expect(folder.target('f').texts()).toEqual(['1', '2', '1', '2', '4']);
  await expect(folder.forwarding.reset('nobody', 'now')).rejects.toMatchObject({ code: 'forwarder.not-found' });
  await folder.stop();
});

test('sends all of a log that is another one, and of a partition that was added', async () => {
  await folder.start(forwarderOf('f', { startAt: 'now' }));
  await folder.append(0, 'a', '1', '2', '3');
  await until(() => folder.target('f').records.length === 3);
  await folder.stop();
  await folder.closeLog();
  await folder.openLog({ name: 'other', partitions: 3 });
  await folder.append(0, 'a', 'new');
  await folder.append(2, 'a', 'added');
  await folder.start(forwarderOf('f', { startAt: 'now' }));
  await until(() => folder.target('f').records.length === 5);
  expect(folder.target('f').texts().slice(3).toSorted()).toEqual(['added', 'new']);
  await folder.stop();
});

test('forgets what was removed while nobody looked', async () => {
  await folder.start(forwarderOf('f'), forwarderOf('g'));
  await folder.append(0, 'a', '1');
  await until(() => folder.target('f').records.length === 1 && folder.target('g').records.length === 1);
  await folder.stop();
  await folder.start(forwarderOf('g'));
  expect(folder.places.forwarders()).toEqual(['g']);
  await folder.stop();
});

test('tests a target with one record, and says what went wrong', async () => {
  await folder.start();
  const target = folder.target('new');
  expect(await folder.forwarding.test(forwarderOf('new', { format: 'samples' }))).toMatchObject({ ok: true });
  expect(target.records).toMatchObject([{ device: 'selsyn-test', samples: [{ values: { test: 1 } }] }]);
  target.before = () => {
    throw new Error('no way', { cause: new Error('certificate has expired') });
  };
  expect(await folder.forwarding.test(forwarderOf('new'))).toMatchObject({
    ok: false,
    message: 'no way: certificate has expired',
  });
  expect(target.closed).toBe(2);
  await folder.stop();
});
