import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import type { TestMetric } from './sparkplug.fixture.ts';
import { NOW, SparkplugHarness } from './sparkplug-harness.fixture.ts';

const dir = mkdtempSync(join(tmpdir(), 'selsyn-sparkplug-'));
afterAll(() => rmSync(dir, { recursive: true }));

let node: SparkplugHarness;
beforeEach(() => {
  node = new SparkplugHarness(join(dir, 'sparkplug.db'));
});
afterEach(() => node[Symbol.dispose]());

const bdSeq = (value: number): TestMetric => ({ name: 'bdSeq', type: 'UInt64', value: BigInt(value) });
const NODE: readonly TestMetric[] = [
  bdSeq(1),
  { name: 'Node Control/Rebirth', type: 'Boolean', value: false },
  { name: 'load', alias: 1, type: 'Double', value: 0.5, ts: NOW - 10 },
];
const DEVICE: readonly TestMetric[] = [
  { name: 'temperature', alias: 10, type: 'Int16', value: -5, unit: '°C' },
  { name: 'pump/on', alias: 11, type: 'Boolean', value: true },
  { name: 'label', type: 'String', value: 'north' },
];

function birth(): void {
  node.send('NBIRTH/N', { ts: NOW, seq: 0, metrics: NODE });
  node.send('DBIRTH/N/D', { ts: NOW, seq: 1, metrics: DEVICE });
}

test('births have values, and say what the data behind them means', () => {
  expect(node.send('NBIRTH/N', { ts: NOW, seq: 0, metrics: NODE })).toEqual([[NOW - 10, 'load', 0.5]]);
  expect(node.send('DBIRTH/N/D', { ts: NOW, seq: 1, metrics: DEVICE })).toEqual([
    [NOW, 'temperature', -5],
    [NOW, 'pump/on', true],
    [NOW, 'label', 'north'],
  ]);
  expect(node.born).toEqual(['G:N', 'G:N:D']);
  expect(node.send('NDATA/N', { ts: NOW + 1, seq: 2, metrics: [{ alias: 1, value: 1.5, type: 'Double' }] })).toEqual([
    [NOW + 1, 'load', 1.5],
  ]);
  const data: readonly TestMetric[] = [
    { alias: 10, value: 0xffff_ff9c, ts: NOW + 5 },
    { alias: 10, value: 7, ts: NOW - 60_000, historical: true },
    { alias: 11, value: false, ts: NOW + 5 },
    { name: 'label', value: 'south' },
    { alias: 10, value: null },
  ];
  expect(node.send('DDATA/N/D', { ts: NOW + 2, seq: 3, metrics: data })).toEqual([
    [NOW + 5, 'temperature', -100],
    [NOW + 5, 'pump/on', false],
    [NOW - 60_000, 'temperature', 7],
    [NOW + 2, 'label', 'south'],
  ]);
  expect(node.send('DDATA/N/D', { seq: 4, metrics: [{ alias: 10, value: 1 }] })).toEqual([[-1, 'temperature', 1]]);
  expect(node.asked).toEqual([]);
  expect(node.sparkplug.skipped).toEqual(new Map([['null', 1]]));
});

test('values are brought to the units of the device type, from those that the birth names', () => {
  node[Symbol.dispose]();
  node = new SparkplugHarness(join(dir, 'sparkplug.db'), [{ metric: 'temperature', type: 'number', unit: '°F' }]);
  birth();
  expect(node.send('DDATA/N/D', { ts: NOW, seq: 2, metrics: [{ alias: 10, value: 100 }] })).toEqual([[NOW, 'temperature', 212]]);
});

test.each([
  ['data of a node that nobody knows', 'NDATA/N', 'No birth of this edge node'],
  ['data of a device that nobody knows', 'DDATA/N/D', 'No birth of this device'],
  ['a birth of a device before that of its node', 'DBIRTH/N/D', 'No birth of this edge node'],
])('%s is refused, and the node is asked for a birth', (_, topic, reason) => {
  expect(node.send(topic, { seq: 5, metrics: [{ name: 'a', alias: 1, type: 'Int32', value: 1 }] })).toContain(reason);
  expect(node.asked).toEqual([{ group: 'G', node: 'N', reason: 'no-birth' }]);
});

test.each([
  ['an alias that the birth does not have', { alias: 99, value: 1 }, 'unknown-alias'],
  ['a name without a type that the birth does not have', { name: 'new', value: 1 }, 'unknown-metric'],
])('%s refuses the message, all of it, and asks for a birth', (_, metric, reason) => {
  birth();
  expect(node.send('DDATA/N/D', { seq: 2, metrics: [{ alias: 10, value: 1 }, metric] })).toContain('asked for another');
  expect(node.asked).toEqual([{ group: 'G', node: 'N', reason }]);
  // Its number counts all the same.
  expect(node.send('DDATA/N/D', { seq: 3, metrics: [{ alias: 10, value: 1 }] })).toHaveLength(1);
  expect(node.sparkplug.countsOf('G:N')).toMatchObject({ gaps: 0, refused: 1, messages: 4 });
});

test('a metric that says its own type needs no birth of its own', () => {
  birth();
  expect(node.send('DDATA/N/D', { ts: NOW, seq: 2, metrics: [{ name: 'new', type: 'Int8', value: -1 }] })).toEqual([
    [NOW, 'new', -1],
  ]);
});

test.each([
  [[{ alias: 1, type: 'Int32', value: 1 }], 'no name'],
  [
    [
      { name: 'a', alias: 1, type: 'Int32' },
      { name: 'b', alias: 1, type: 'Int32' },
    ],
    'stands for "a" and "b"',
  ],
] as const)('a birth that does not say what its aliases mean is refused', (metrics, reason) => {
  expect(node.send('NBIRTH/N', { seq: 0, metrics })).toContain(reason);
  expect(node.births.find('G:N')).toBeUndefined();
});

test('what is no series is left out, and the rest of the message is stored', () => {
  const metrics: readonly TestMetric[] = [
    { name: 'table', type: 'DataSet', value: 'x' },
    { name: 'x'.repeat(300), type: 'Int32', value: 1 },
    { name: 'text', type: 'String', value: 'y'.repeat(5000) },
    { name: 'broken', type: 'Double', value: NaN },
    { name: 'fine', type: 'Double', value: 1 },
  ];
  expect(node.send('NBIRTH/N', { ts: NOW, seq: 0, metrics })).toEqual([[NOW, 'fine', 1]]);
  expect(Object.fromEntries(node.sparkplug.skipped)).toEqual({ 'not-a-point': 1, 'bad-name': 1, 'bad-text': 1, 'not-finite': 1 });
});

test('a missing number asks for a birth, and what comes is read on; after 255 comes 0', () => {
  birth();
  for (let seq = 2; seq < 600; seq++) node.send('NDATA/N', { ts: NOW + seq, seq: seq % 256, metrics: [{ alias: 1, value: 1 }] });
  expect(node.sparkplug.countsOf('G:N').gaps).toBe(0);
  expect(node.send('NDATA/N', { ts: NOW, seq: (600 + 3) % 256, metrics: [{ alias: 1, value: 1, type: 'Double' }] })).toHaveLength(
    1,
  );
  expect(node.sparkplug.countsOf('G:N')).toMatchObject({ gaps: 1, missing: 3 });
  expect(node.asked).toEqual([{ group: 'G', node: 'N', reason: 'sequence' }]);
  // A birth begins anew.
  node.send('NBIRTH/N', { ts: NOW, seq: 0, metrics: NODE });
  node.send('NDATA/N', { ts: NOW, seq: 1, metrics: [] });
  expect(node.sparkplug.countsOf('G:N').gaps).toBe(1);
});

test('a message that comes twice is no gap, and a node that does not count is not asked for it', () => {
  birth();
  for (const seq of [2, 2, 3, 3]) node.send('NDATA/N', { ts: NOW, seq, metrics: [] });
  expect(node.sparkplug.countsOf('G:N').gaps).toBe(0);
  expect(node.asked).toEqual([]);
});

test('a node is asked seldom, however often it gives reason to', () => {
  birth();
  for (let second = 0; second < 3600; second++) {
    node.clock.advance(1000);
    node.send('NDATA/N', { seq: (second * 7) % 256, metrics: [] });
  }
  // After 5 s, 10 s, 20 s, … and then every ten minutes.
  expect(node.asked.length).toBeGreaterThan(8);
  expect(node.asked.length).toBeLessThan(16);
  // One that is well for long is asked at once again.
  node.clock.advance(1_300_000);
  const before = node.asked.length;
  node.send('NDATA/N', { seq: 100, metrics: [] });
  expect(node.asked.length).toBe(before + 1);
});

test('all nodes together are asked a bounded number of times a second', () => {
  for (let i = 0; i < 500; i++) node.read(node.append({ topic: `spBv1.0/G/NDATA/N${i}`, payload: { seq: 0 } }));
  expect(node.asked).toHaveLength(100);
});

test('nobody is asked about what is read late', () => {
  node.send('NDATA/N', { seq: 0 }, { arrivalMs: NOW - 120_000 });
  expect(node.asked).toEqual([]);
});

test('data after a death needs a new birth: of the node, of its devices, and of a device alone', () => {
  birth();
  const data = { ts: NOW, metrics: [{ alias: 10, value: 1 }] };
  node.send('DDEATH/N/D', { seq: 2 });
  expect(node.send('DDATA/N/D', { ...data, seq: 3 })).toContain('No birth of this device');
  expect(node.send('NDATA/N', { ts: NOW, seq: 4, metrics: [{ alias: 1, value: 2, type: 'Double' }] })).toHaveLength(1);
  node.send('DBIRTH/N/D', { seq: 5, metrics: DEVICE });
  expect(node.send('DDATA/N/D', { ...data, seq: 6 })).toHaveLength(1);
  node.send('NDEATH/N', { metrics: [bdSeq(1)] });
  expect(node.send('DDATA/N/D', { ...data, seq: 7 })).toContain('No birth of this device');
  expect(node.send('NDATA/N', { seq: 8 })).toContain('No birth of this edge node');
  // A birth of the node alone does not bring its devices back: their aliases may be others.
  node.send('NBIRTH/N', { seq: 0, metrics: NODE });
  expect(node.send('DDATA/N/D', { ...data, seq: 1 })).toContain('No birth of this device');
});

test('the death of an earlier connection ends nothing', () => {
  birth();
  node.send('NBIRTH/N', { seq: 0, metrics: [bdSeq(2), NODE[2]!] });
  node.send('NDEATH/N', { metrics: [bdSeq(1)] });
  expect(node.send('NDATA/N', { ts: NOW, seq: 1, metrics: [{ alias: 1, value: 3, type: 'Double' }] })).toEqual([
    [NOW, 'load', 3],
  ]);
  expect(node.sparkplug.staleDeaths).toBe(1);
  node.send('NDEATH/N', { metrics: [bdSeq(2)] });
  expect(node.send('NDATA/N', { seq: 2 })).toContain('No birth');
});

test('what was sent before a birth on another connection is read as it was meant, however late', () => {
  birth();
  const late = node.append({
    topic: 'spBv1.0/G/DDATA/N/D',
    payload: { ts: NOW, seq: 2, metrics: [{ alias: 10, value: 8 }] },
    arrivalMs: NOW + 10,
  });
  const swapped = [
    { name: 'pump/on', alias: 10, type: 'Boolean', value: true },
    { name: 'temperature', alias: 11, type: 'Int16', value: 1 },
  ] as const;
  const onOther = { partition: 1, arrivalMs: NOW + 20 };
  node.send('NBIRTH/N', { seq: 0, metrics: [bdSeq(2)] }, onOther);
  node.send('DBIRTH/N/D', { seq: 1, metrics: swapped }, onOther);
  expect(node.send('DDATA/N/D', { ts: NOW, seq: 2, metrics: [{ alias: 10, value: false }] }, onOther)).toEqual([
    [NOW, 'pump/on', false],
  ]);
  expect(node.read(late)).toEqual([[NOW, 'temperature', 8]]);
  // It belongs to the count of its own connection.
  node.send('DDATA/N/D', { ts: NOW, seq: 3, metrics: [] }, onOther);
  expect(node.sparkplug.countsOf('G:N').gaps).toBe(0);
});

test('a message for which there was no room is read again as if it had not been', () => {
  birth();
  const record = node.append({ topic: 'spBv1.0/G/DBIRTH/N/E', payload: { ts: NOW, seq: 2, metrics: DEVICE } });
  expect(node.read(record, false)).toHaveLength(3);
  expect(node.births.find('G:N:E')).toBeUndefined();
  expect(node.read(record)).toHaveLength(3);
  expect(node.sparkplug.countsOf('G:N')).toMatchObject({ gaps: 0, messages: 3 });
});

test('births that are not used are given up, and read again from where they are kept', () => {
  node[Symbol.dispose]();
  node = new SparkplugHarness(join(dir, 'sparkplug.db'));
  node.births.close();
  node.open(new Map(), { maxDefinitions: 10 });
  node.send('NBIRTH/N', { seq: 0, metrics: NODE });
  for (let i = 0; i < 30; i++) node.send(`DBIRTH/N/D${i}`, { seq: i + 1, metrics: DEVICE });
  node.births.makeDurable(new Map());
  for (let i = 0; i < 30; i++) {
    expect(node.send(`DDATA/N/D${i}`, { ts: NOW, seq: 31 + i, metrics: [{ alias: 10, value: i }] })).toEqual([
      [NOW, 'temperature', i],
    ]);
  }
});

test('where a birth that is kept cannot be read any more the node is asked for another', () => {
  birth();
  node.births.makeDurable(new Map([[0, 2]]));
  node.births.close();
  const file = new DatabaseSync(join(dir, 'sparkplug.db'));
  // No deflated bytes.
  file.prepare("UPDATE certificate SET payload = x'ff' WHERE id = 'G:N'").run();
  file.close();
  node.open(new Map([[0, 2]]));
  const data = { ts: NOW + 1, seq: 2, metrics: [{ alias: 1, value: 1.5, type: 'Double' }] } as const;
  expect(node.send('NDATA/N', data)).toMatch(/birth.*cannot be read/);
  expect(node.asked).toMatchObject([{ group: 'G', node: 'N' }]);
  node.send('NBIRTH/N', { ts: NOW, seq: 0, metrics: NODE });
  expect(node.send('NDATA/N', { ...data, seq: 1 })).toEqual([[NOW + 1, 'load', 1.5]]);
});
