import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { Shape } from '@selsyn/wire/payload/shape.ts';
import type { PayloadDecoder } from '../payloads/payload-decoder.ts';
import { TypeFacts } from '../payloads/type-facts.ts';
import type { DeviceFacts } from '../payloads/device-facts.ts';
import { FakeLog } from './fake-log.ts';
import { openDeadLettersForRead } from './dead-letter-schema.ts';
import type { SeriesLimits } from './series-quota.ts';
import { StoreHarness } from './store-harness.ts';

const NOW = 1_790_000_000_000;
const NONE: SeriesLimits = { perDevice: Infinity, perType: Infinity, whole: Infinity };

let store: StoreHarness | undefined;
afterEach(() => {
  store?.[Symbol.dispose]();
  store = undefined;
});

/** Devices whose id begins with a `p` are pumps. */
function factsOf(pump: TypeFacts): DeviceFacts {
  const plain = new TypeFacts(undefined);
  return { follow: () => [], of: (device) => (device.startsWith('p') ? pump : plain), decoderOf: () => undefined };
}

async function opened(limits: Partial<SeriesLimits>, pump = new TypeFacts('pump')) {
  const log = new FakeLog(2);
  store = new StoreHarness(log, { seriesLimits: { ...NONE, ...limits }, facts: factsOf(pump) });
  await store.open();
  const send = (...records: readonly (readonly [string, unknown])[]) => {
    log.append(0, NOW, records);
    store!.consume();
  };
  return { log, store, send };
}

const series = (one: StoreHarness) => Object.fromEntries([...one.writer.devices.all()].map(({ id, names }) => [id, [...names]]));

function letters(one: StoreHarness): { offset: number; code: string; reason: string }[] {
  while (one.writer.deadLetters.write(one.writer.catalog.log));
  const db = openDeadLettersForRead(one.dir);
  const rows = db.prepare('SELECT "offset", code, reason FROM dead_letter ORDER BY id').all();
  db.close();
  return rows as never;
}

test('what is known is stored with a message whose new metrics have no room, and none of the new ones is', async () => {
  const { store, send } = await opened({ perDevice: 3 });
  send(
    ['a', { ts: 1, x: 1, y: 1 }],
    ['a', { ts: 2, x: 2, z: 2, u: 2 }],
    // The first sample alone would have had room.
    [
      'a',
      [
        { ts: 3, x: 3, z: 3 },
        { ts: 4, v: 4, y: 'text' },
      ],
    ],
    ['a', { ts: 5, z: 5, x: 5 }],
    ['a', { ts: 6, w: 6, y: 6 }],
  );
  expect(store.stored()).toEqual({
    a: {
      x: [
        [1, 1],
        [2, 2],
        [3, 3],
        [5, 5],
      ],
      y: [
        [1, 1],
        [4, 'text'],
        [6, 6],
      ],
      z: [[5, 5]],
    },
  });
  expect(letters(store)).toEqual([
    {
      offset: 1,
      code: 'telemetry.too-many-metrics',
      reason: expect.stringContaining('2 new metrics were refused: the device has 2 of at most 3'),
    },
    { offset: 2, code: 'telemetry.too-many-metrics', reason: expect.any(String) },
    { offset: 4, code: 'telemetry.too-many-metrics', reason: expect.stringContaining('1 new metric was refused') },
  ]);
  expect(store.writer.devices.quotas.series).toBe(3);
});

test('a message that is refused leaves nothing behind that shows in the next one', async () => {
  const { store, send } = await opened({ perDevice: 1 });
  send(
    [
      'a',
      [
        { ts: 1, x: 'text' },
        { ts: 2, y: 1 },
      ],
    ],
    ['a', { ts: 3, x: 3 }],
    ['b', { ts: 4, q: 4 }],
  );
  expect(store.stored()).toEqual({
    a: { x: [[3, 3]] },
    b: { q: [[4, 4]] },
  });
});

test('a decoder that fails after it has given samples leaves nothing behind either', async () => {
  const shape = new Shape(['x', 'y']);
  let messages = 0;
  const decoder: PayloadDecoder = {
    decode(_message, visitor) {
      messages++;
      if (messages === 1) visitor.mixed(shape, 1, ['text', true]);
      if (messages === 1) throw new PayloadError('malformed', 'No.');
      visitor.numbers(shape, 2, Float64Array.of(3, 4));
    },
  };
  const { store, send } = await opened({}, new TypeFacts('pump', [], decoder));
  send(['p1', 'a'], ['p1', 'b']);
  expect(store.stored()).toEqual({ p1: { x: [[2, 3]], y: [[2, 4]] } });
  expect(store.writer.devices.quotas.series).toBe(2);
});

test('types have limits of their own, and so have their devices', async () => {
  const pump = new TypeFacts('pump', [], undefined, { series: 4, perDevice: 3 });
  const { store, send } = await opened({ perDevice: 5 }, pump);
  send(
    ['p1', { a: 1, b: 1, c: 1 }],
    ['p1', { d: 1 }],
    ['p2', { a: 1, b: 1 }],
    ['p3', { a: 1 }],
    ['other', { a: 1, b: 1, c: 1, d: 1, e: 1 }],
  );
  expect(series(store)).toEqual({ p1: ['a', 'b', 'c'], p2: [], p3: ['a'], other: ['a', 'b', 'c', 'd', 'e'] });
  expect(letters(store).map(({ offset, code }) => [offset, code])).toEqual([
    [1, 'telemetry.too-many-metrics'],
    [2, 'telemetry.too-many-series'],
  ]);
  expect(store.writer.cardinality.usage).toEqual({
    whole: { series: 9, limit: Infinity, state: 'ok' },
    types: [{ type: 'pump', series: 4, limit: 4, perDevice: 3, state: 'full' }],
    devices: [
      { device: 'p1', series: 3, limit: 3, state: 'full' },
      { device: 'other', series: 5, limit: 5, state: 'full' },
    ],
    refused: { device: 1, type: 1, whole: 0 },
  });
});

test('a device whose type has a lower limit now is near it, or beyond, without a new series', async () => {
  const { store, send } = await opened({ perDevice: 5 });
  send(['q', { a: 1, b: 1, c: 1 }]);
  expect(store.writer.cardinality.usage.devices).toEqual([]);
  const { devices } = store.writer;
  devices.quotas.setTypeLimits('gate', { perDevice: 2 });
  devices.setType(devices.find('q')!, 'gate');
  expect(store.writer.cardinality.usage.devices).toEqual([{ device: 'q', series: 3, limit: 2, state: 'full' }]);
});

test('after a start devices at the limit of their type are told of before they send', async () => {
  const { store, send } = await opened({ perDevice: 50 }, new TypeFacts('pump', [], undefined, { perDevice: 3 }));
  send(['p1', { a: 1, b: 1, c: 1 }]);
  store.seal();
  store.writer.chunks.saveSeries();
  await store.crash();
  while (store.writer.cardinality.step());
  expect(store.writer.cardinality.usage.devices).toEqual([{ device: 'p1', series: 3, limit: 3, state: 'full' }]);
});

test('the limit of all counts what the catalog has, and what goes with a device is free again', async () => {
  const { store, send } = await opened({ whole: 4 });
  send(['a', { x: 1, y: 1 }], ['b', { x: 1, y: 1 }]);
  store.seal();
  store.writer.chunks.saveSeries();
  await store.crash();
  send(['c', { x: 1 }], ['a', { ts: 7, x: 7 }]);
  expect(series(store)).toEqual({ a: ['x', 'y'], b: ['x', 'y'], c: [] });
  store.writer.forget('b', [100, 100]);
  expect(store.writer.devices.quotas.series).toBe(2);
  send(['c', { x: 1, y: 1 }], ['d', { x: 1 }]);
  expect(series(store)).toMatchObject({ c: ['x', 'y'], d: [] });
});

test('a limit that was lowered takes nothing away, and one that was raised lets in what was refused', async () => {
  const log = new FakeLog(1);
  const at = async (perDevice: number) => {
    store?.[Symbol.dispose]();
    store = new StoreHarness(log, { seriesLimits: { ...NONE, perDevice } });
    await store.open();
    store.consume();
    return store;
  };
  log.append(0, NOW, [
    ['a', { ts: 1, x: 1, y: 1 }],
    ['a', { ts: 2, x: 2, z: 2 }],
  ]);
  expect((await at(2)).stored()).toEqual({
    a: {
      x: [
        [1, 1],
        [2, 2],
      ],
      y: [[1, 1]],
    },
  });
  expect((await at(3)).stored()['a']).toMatchObject({ z: [[2, 2]] });
});

test('devices move with their series when their type changes', async () => {
  const { store, send } = await opened({});
  send(['p1', { a: 1, b: 1 }], ['q', { a: 1 }]);
  const { devices } = store.writer;
  devices.setType(devices.find('p1')!, undefined);
  devices.setType(devices.find('q')!, 'pump');
  expect([devices.quotas.typeOf('pump').series, devices.quotas.untyped.series, devices.quotas.series]).toEqual([1, 2, 3]);
});

test('whatever is sent, counts are those of the series that there are, and no limit is ever passed', async () => {
  const message = fc.record({
    device: fc.constantFrom('a', 'p1', 'p2'),
    metrics: fc.uniqueArray(fc.integer({ min: 0, max: 9 }), { minLength: 1 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(message, { maxLength: 30 }), async (messages) => {
      const { store: one, send } = await opened({ perDevice: 5, perType: 7, whole: 9 });
      const known: Record<string, Set<string>> = { a: new Set(), p1: new Set(), p2: new Set() };
      for (const { device, metrics } of messages) {
        send([device, Object.fromEntries(metrics.map((metric) => [`m${metric}`, 1]))]);
        const wanted = new Set([...known[device]!, ...metrics.map((metric) => `m${metric}`)]);
        const more = wanted.size - known[device]!.size;
        const ofType = known['p1']!.size + known['p2']!.size;
        const all = ofType + known['a']!.size;
        if (wanted.size <= 5 && all + more <= 9 && (device === 'a' || ofType + more <= 7)) known[device] = wanted;
      }
      const found = series(one);
      for (const [device, names] of Object.entries(known)) expect(new Set(found[device] ?? [])).toEqual(names);
      const { quotas } = one.writer.devices;
      expect(quotas.series).toBe(Object.values(found).flat().length);
      one[Symbol.dispose]();
      store = undefined;
    }),
    { numRuns: 60 },
  );
});
