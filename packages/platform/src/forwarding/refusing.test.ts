import { afterEach, beforeEach, expect, test } from 'vitest';
import { openMetrics } from '../kernel/metrics.ts';
import { DeliveryError } from './delivery.ts';
import { type FakeTarget, forwarderOf, ForwardingFolder, HURRIED_CLOCK, until } from './forwarding.fixture.ts';
import { registerForwardingMetrics } from './forwarding-metrics.ts';
import { MAX_REFUSED } from './place-store.ts';

let folder: ForwardingFolder;
let target: FakeTarget;
beforeEach(async () => {
  folder = await ForwardingFolder.open();
  folder.clock = HURRIED_CLOCK;
  target = folder.target('f');
});
afterEach(async () => {
  await folder.stop();
  await folder[Symbol.asyncDispose]();
});

const WORDS = 'answered with the status 400: no such tenant';
const refuse = (): void => {
  throw new DeliveryError('refused', WORDS);
};
const refuseBad: FakeTarget['before'] = ({ records }) => {
  if (records.some(({ payload }) => Buffer.from(payload).toString().startsWith('bad'))) refuse();
};
const state = async () => (await folder.forwarding.states())[0]!;
const told = (): string[] => folder.events.map(({ event }) => event).filter((event) => event !== 'refused');
async function refusingMetric(): Promise<number | undefined> {
  const metrics = openMetrics('forwarder');
  registerForwardingMetrics(metrics, folder.forwarding);
  const found = await metrics.getSingleMetric('selsyn_forwarder_refusing')!.get();
  return found.values.find(({ labels }) => labels['forwarder'] === 'f')?.value;
}

test('a target that refuses all that it is sent is told at the first record, and that it takes records again', async () => {
  target.before = refuse;
  await folder.start(forwarderOf('f'));
  expect(await state()).toMatchObject({ health: 'well', refusedInRow: 0 });
  await folder.append(0, 'a', '1');
  await until(() => folder.places.refusedCount('f') === 1);
  expect(await state()).toMatchObject({ health: 'refusing', circuit: 'closed', refused: 1, lastRefusal: { message: WORDS } });
  expect(await refusingMetric()).toBe(1);
  expect(folder.events).toMatchObject([{ event: 'refused' }, { event: 'refusing', forwarder: 'f', message: WORDS }]);
  target.before = () => undefined;
  await folder.append(0, 'a', '2');
  await until(() => target.records.length === 1);
  expect(await state()).toMatchObject({ health: 'well', refusedInRow: 0, refused: 1, lastRefusal: { message: WORDS } });
  expect(await refusingMetric()).toBe(0);
  expect(told()).toEqual(['refusing', 'recovered']);
});

test('it is still told after a restart, until somebody changes the forwarder', async () => {
  target.before = refuse;
  await folder.start(forwarderOf('f'));
  await folder.append(0, 'a', '1');
  await until(() => folder.places.refusedCount('f') === 1);
  await folder.stop();
  await folder.start(forwarderOf('f'));
  expect(await state()).toMatchObject({ health: 'refusing', refusedInRow: 1, lastRefusal: { message: WORDS } });
  await folder.forwarding.put(forwarderOf('f', { description: 'mended' }));
  expect(await state()).toMatchObject({ health: 'well', refusedInRow: 0 });
});

test('of a target that takes others a few refused records say nothing, many in a row do', async () => {
  target.before = refuseBad;
  await folder.start(forwarderOf('f'));
  await folder.append(0, 'a', 'good', 'bad1', 'bad2', 'bad3', 'bad4');
  await until(() => folder.places.refusedCount('f') === 4);
  expect(await state()).toMatchObject({ health: 'well', refusedInRow: 4 });
  await folder.append(0, 'a', 'bad5');
  await until(() => folder.places.refusedCount('f') === 5);
  expect(await state()).toMatchObject({ health: 'refusing', refusedInRow: 5 });
});

test('records that a target names as refused among many that it takes do not count as a row', async () => {
  target.before = ({ records }) => {
    const offsets = new Set(records.map(({ offset }) => offset).filter((offset) => offset % 2 === 0));
    if (offsets.size > 0) throw new DeliveryError('refused', WORDS, { offsets });
  };
  await folder.append(0, 'a', ...Array.from({ length: 13 }, (_, n) => String(n)));
  await folder.start(forwarderOf('f'));
  await until(() => folder.places.refusedCount('f') === 7);
  expect(await state()).toMatchObject({ health: 'well', refusedInRow: 0, sent: 6 });
});

test('one that can set nothing more aside refuses until that record is taken, whatever goes in other partitions', async () => {
  target.before = refuseBad;
  await folder.start(forwarderOf('f', { paused: true }));
  const place = { partition: 1, topic: 't', arrivalMs: 0, refusedAtMs: 0, reason: 'before', payload: new Uint8Array() };
  for (let offset = 0; offset < MAX_REFUSED; offset += 1)
    folder.places.putRefused('f', { ...place, device: 'b', offset: 100 + offset });
  await folder.forwarding.put(forwarderOf('f'));
  await folder.append(0, 'a', 'bad');
  await until(() => told().includes('refusing'));
  await folder.append(1, 'b', 'good');
  await until(() => target.records.length === 1);
  expect(await state()).toMatchObject({ health: 'refusing', lagRecords: 1, lastRefusal: { message: WORDS } });
  target.before = () => undefined;
  folder.forwarding.discard('f');
  await until(() => target.records.length === 2);
  expect(await state()).toMatchObject({ health: 'well', lagRecords: 0 });
});
