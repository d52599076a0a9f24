import { afterEach, beforeEach, expect, test } from 'vitest';
import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { DeviceFacts } from '../payloads/device-facts.ts';
import { makeDecoder } from '../payloads/make-decoder.ts';
import type { PayloadDecoder } from '../payloads/payload-decoder.ts';
import { TypeFacts } from '../payloads/type-facts.ts';
import type { MetricSchema } from '../registry/device-type.ts';
import { FakeLog } from './fake-log.ts';
import { QualityReader, type QualityItem } from './query-quality.ts';
import { StoreHarness } from './store-harness.ts';

const METRICS: readonly MetricSchema[] = [
  { metric: 't', type: 'number', unit: '°C', min: 0, max: 50 },
  { metric: 'on', type: 'boolean' },
];

/** Types by the first letter of a device's id. */
class FakeFacts implements DeviceFacts {
  types: Record<string, TypeFacts> = {};
  changed: string[] = [];
  failing = false;
  readonly #none = new TypeFacts(undefined);

  follow(): readonly string[] {
    if (this.failing) throw new SelsynError('data.unwritable', 'the disk is gone');
    return this.changed.splice(0);
  }

  of(device: string): TypeFacts {
    return this.types[device.charAt(0)] ?? this.#none;
  }

  decoderOf(topic: string): PayloadDecoder | undefined {
    if (topic.startsWith('telemetry/')) throw new Error('the decoder of the type reads it');
    return undefined;
  }
}

const packed = makeDecoder(
  { format: { kind: 'packed', layout: '>Bb', fields: ['n', { metric: 't', unit: '°C' }] }, compression: 'none' },
  { metrics: METRICS },
);
const senml = makeDecoder({ format: { kind: 'senml', names: 'local' }, compression: 'none' }, { metrics: METRICS });

let log: FakeLog;
let facts: FakeFacts;
let store: StoreHarness;
let now = 0;

beforeEach(async () => {
  log = new FakeLog(2);
  facts = new FakeFacts();
  facts.types = {
    p: new TypeFacts('packed', METRICS, packed),
    j: new TypeFacts('json', METRICS),
    s: new TypeFacts('senml', METRICS, senml),
  };
  store = new StoreHarness(log, { facts });
  now = store.clock.now();
  await store.open();
});
afterEach(() => store[Symbol.dispose]());

function quality(): readonly QualityItem[] {
  store.saveLowWater();
  using reader = new QualityReader({ telemetryDir: store.dir });
  return [...reader.page({ limit: 100 }).items].sort((a, b) => `${a.device}${a.kind}`.localeCompare(`${b.device}${b.kind}`));
}

test('each device is read by the codec of its type, and others as JSON', () => {
  log.append(0, now, [
    ['p1', Uint8Array.of(7, 21)],
    ['a', { t: 1 }],
    ['j1', { t: 2 }],
    ['s1', '[{"n":"t","u":"K","v":293.15}]'],
  ]);
  store.consume();
  expect(store.stored()).toEqual({
    p1: { n: [[now, 7]], t: [[now, 21]] },
    a: { t: [[now, 1]] },
    j1: { t: [[now, 2]] },
    s1: { t: [[now, 20]] },
  });
});

test('a message that its codec refuses is a dead letter with the reason, and leaves nothing', () => {
  log.append(0, now, [
    ['p1', Uint8Array.of(7)],
    ['p1', { t: 1 }],
    ['s1', '[{"n":"t","v":1},{"n":"x"}]'],
    ['a', { t: 1 }],
  ]);
  store.consume();
  expect(store.stored()).toEqual({ a: { t: [[now, 1]] } });
  expect(store.writer.deadLetters.byCode).toEqual(new Map([['telemetry.malformed', 3]]));
});

test('a device that gets another type is read by its codec from the next batch on', () => {
  log.append(0, now, [['a', { t: 1 }]]);
  store.consume();
  facts.types['a'] = new TypeFacts('packed', METRICS, packed);
  log.append(0, now + 10, [['a', { t: 2 }]]);
  store.consume();
  facts.changed = ['a', 'nobody'];
  log.append(0, now + 20, [['a', Uint8Array.of(1, 3)]]);
  store.consume();
  expect(store.stored()['a']).toEqual({ n: [[now + 20, 1]], t: [[now, 1], [now + 10, 2], [now + 20, 3]] }); // prettier-ignore
  // And where all that was known is stale.
  const before = facts.types['a'];
  facts.types = {};
  before.stale = true;
  log.append(0, now + 30, [['a', { t: 4 }]]);
  store.consume();
  expect(store.stored()['a']?.['t']?.at(-1)).toEqual([now + 30, 4]);
});

test('while the types cannot be read nothing is consumed, and nothing is lost', () => {
  log.append(0, now, [['p1', Uint8Array.of(7, 21)]]);
  facts.failing = true;
  const { writer } = store;
  const batch = { partition: log.partitions[0]!, firstOffset: 0, nextOffset: 1, arrivalMs: now, count: 1 };
  expect(writer.consume({ ...batch, sources: [], sourceIndex: new Uint32Array(1), data: new Uint8Array(), starts: new Uint32Array(1), ends: new Uint32Array(1) } as never, 0, 0, Infinity)).toBe(0); // prettier-ignore
  expect(writer.factsFailing).toBe(true);
  facts.failing = false;
  store.consume();
  expect(writer.factsFailing).toBe(false);
  expect(store.stored()['p1']).toEqual({ n: [[now, 7]], t: [[now, 21]] });
});

test('what is out of range, of another kind, or in a unit that nobody knows is stored, and counted', () => {
  log.append(0, now, [
    ['j1', [{ ts: now - 2, t: 51 }, { ts: now - 3, t: -1 }, { ts: now - 1, t: 50, on: true }]],
    ['j1', { ts: now, t: 'broken', on: 1 }],
    ['p1', Uint8Array.of(7, 0x80)],
    ['s1', '[{"n":"t","u":"Beaufort","v":60}]'],
    ['a', { t: 1000 }],
  ]); // prettier-ignore
  store.consume();
  expect(store.stored()['j1']?.['t']).toHaveLength(4);
  expect(quality()).toEqual([
    { device: 'j1', metric: 't', kind: 'out-of-range', count: 2, lastMs: now - 2, lastValue: 51 },
    expect.objectContaining({ device: 'j1', kind: 'wrong-type', count: 1 }),
    expect.objectContaining({ device: 'j1', kind: 'wrong-type', count: 1 }),
    { device: 'p1', metric: 't', kind: 'out-of-range', count: 1, lastMs: now, lastValue: -128 },
    { device: 's1', metric: 't', kind: 'out-of-range', count: 1, lastMs: now, lastValue: 60 },
    { device: 's1', metric: 't', kind: 'unknown-unit', count: 1, lastMs: now, lastValue: '', unit: 'Beaufort' },
  ]);
});

test('each point counts once, whatever ends the process, and the counts of a removed device go', async () => {
  log.append(0, now, [['j1', { ts: now, t: 51 }]]);
  log.append(1, now, [['j2', { ts: now, t: 52 }]]);
  store.consume();
  expect(quality().map(({ count }) => count)).toEqual([1, 1]);
  log.append(0, now, [['j1', { ts: now + 1, t: 53 }]]);
  store.consume();
  // Not written yet: it is read again from the log.
  await store.crash();
  store.consume();
  log.append(1, now, [['j2', { ts: now + 2, t: 54 }]]);
  store.consume();
  const counts = (): unknown[] => quality().map(({ device, count, lastValue }) => [device, count, lastValue]);
  expect(counts()).toEqual([['j1', 2, 53], ['j2', 2, 54]]); // prettier-ignore
  await store.crash();
  store.consume();
  expect(counts()).toEqual([['j1', 2, 53], ['j2', 2, 54]]); // prettier-ignore
  store.writer.forget('j1', [log.end(0), log.end(1)]);
  expect(counts()).toEqual([['j2', 2, 54]]);
  await store.crash();
  store.consume();
  expect(counts()).toEqual([['j2', 2, 54]]);
});

test('where there is no room for what a message has, it waits, and is taken whole later', async () => {
  // Each byte is a value, many times as many as JSON of its size has.
  const wide = makeDecoder(
    { format: { kind: 'packed', layout: '>16B', fields: Array.from({ length: 16 }, (_, at) => `m${at}`), repeat: true }, compression: 'auto' },
    { metrics: [] },
  ); // prettier-ignore
  facts.types['w'] = new TypeFacts('wide', [], wide);
  store[Symbol.dispose]();
  store = new StoreHarness(log, { facts, memtablePoints: 65_536 });
  await store.open();
  const message = new Uint8Array(16 * 200).fill(9);
  for (let index = 0; index < 40; index++) log.append(0, now + index * 1000, [['w1', message]]);
  store.consume();
  store.seal();
  const stored = store.stored()['w1'] ?? {};
  expect(Object.keys(stored)).toHaveLength(16);
  for (const points of Object.values(stored)) expect(points).toHaveLength(40 * 200);
  expect(store.writer.deadLetters.byCode.size).toBe(0);
});

test('a decoder that remembers is told which messages count', () => {
  const taken: number[] = [];
  const remembering: PayloadDecoder = {
    decode: ({ data, start }, visitor) => {
      if (data[start] === 0) throw new PayloadError('malformed', 'Nothing.');
      visitor.unitKept('x', 'y');
    },
    taken: ({ offset, device }) => {
      expect(device).toBe(parseDeviceId('r1'));
      taken.push(offset);
    },
  };
  facts.types['r'] = new TypeFacts('remembering', [], remembering);
  log.append(0, now, [['r1', Uint8Array.of(1)], ['r1', Uint8Array.of(0)], ['r1', Uint8Array.of(2)]]); // prettier-ignore
  store.consume();
  expect(taken).toEqual([0, 2]);
});
