import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { rebirthCommand } from './sparkplug-command.ts';
import { encodeSparkplug, type TestPayload } from './sparkplug.fixture.ts';
import { readSparkplug } from './sparkplug-payload.ts';
import { type DataType, valueOf } from './sparkplug-values.ts';

const NOW = 1_790_000_000_000;
const read = (bytes: Uint8Array) => readSparkplug(bytes, 0, bytes.length);

const FULL: TestPayload = {
  ts: NOW,
  seq: 7,
  metrics: [
    { name: 'Node Control/Rebirth', alias: 0, ts: NOW - 1, type: 'Boolean', value: false },
    { name: 'Übertemperatur', alias: 300, ts: NOW - 2, type: 'Double', value: 21.5, unit: '°C' },
    { name: 'counter', alias: 2 ** 50, type: 'UInt64', value: 2n ** 53n - 1n },
    { name: 'state', type: 'String', value: 'läuft' },
    { name: 'none', type: 'Int32', value: null },
    { alias: 3, historical: true, value: 5 },
  ],
};

test('all that telemetry needs of a payload is read', () => {
  const { timestampMs, seq, metrics } = read(encodeSparkplug(FULL));
  expect([timestampMs, seq]).toEqual([NOW, 7]);
  expect(
    metrics.map(({ name, alias, timestampMs: ts, datatype, unit, isNull }) => [name, alias, ts, datatype, unit, isNull]),
  ).toEqual([
    ['Node Control/Rebirth', 0, NOW - 1, 11, undefined, false],
    ['Übertemperatur', 300, NOW - 2, 10, '°C', false],
    ['counter', 2 ** 50, undefined, 8, undefined, false],
    ['state', undefined, undefined, 12, undefined, false],
    ['none', undefined, undefined, 3, undefined, true],
    [undefined, 3, undefined, 0, undefined, false],
  ]);
});

test.each<[DataType, number | bigint | boolean | string | null, unknown]>([
  ['Int8', -5, { value: -5 }],
  ['Int8', 0xfb, { value: -5 }],
  ['Int16', -300, { value: -300 }],
  ['Int16', 0xfed4, { value: -300 }],
  ['Int32', -70_000, { value: -70_000 }],
  ['Int64', -(2n ** 40n), { value: -(2 ** 40) }],
  ['Int64', -1n, { value: -1 }],
  ['UInt8', 255, { value: 255 }],
  ['UInt16', 65_535, { value: 65_535 }],
  ['UInt32', 4_294_967_295, { value: 4_294_967_295 }],
  // As a long, as some libraries send it.
  ['UInt32', 4_294_967_295n, { value: 4_294_967_295 }],
  ['UInt64', 2n ** 63n, { value: 2 ** 63 }],
  ['Float', 1.5, { value: 1.5 }],
  // 32 bits: as a reader of the device's display has it, not 23.510000228881836.
  ['Float', 23.51, { value: 23.51 }],
  ['Float', NaN, { skipped: 'not-finite' }],
  ['Double', -Infinity, { skipped: 'not-finite' }],
  ['Double', 1e300, { value: 1e300 }],
  ['Boolean', true, { value: true }],
  ['Boolean', 'true', { skipped: 'wrong-field' }],
  ['String', 'a', { value: 'a' }],
  ['Text', 'x'.repeat(2000), { skipped: 'bad-text' }],
  ['UUID', 'u', { value: 'u' }],
  ['String', 5, { skipped: 'wrong-field' }],
  ['Int32', 'a', { skipped: 'wrong-field' }],
  ['DateTime', NOW, { value: NOW }],
  ['DataSet', 'x', { skipped: 'not-a-point' }],
  ['Template', 'x', { skipped: 'not-a-point' }],
  ['DoubleArray', 'x', { skipped: 'not-a-point' }],
  ['Unknown', 1, { skipped: 'unknown-type' }],
  ['Int32', null, { skipped: 'null' }],
])('%s of %s', (type, value, expected) => {
  const [metric] = read(encodeSparkplug({ metrics: [{ name: 'a', type, value }] })).metrics;
  expect(valueOf(metric!, type)).toEqual(expected);
});

test('a payload that the libraries of Eclipse Tahu have packed is unpacked, within bounds', () => {
  const plain = encodeSparkplug(FULL);
  const packed = (body: Uint8Array, algorithm?: string) =>
    encodeSparkplug({
      uuid: 'SPBV1.0_COMPRESSED',
      body,
      metrics: algorithm === undefined ? [] : [{ name: 'algorithm', type: 'String', value: algorithm }],
    });
  expect(read(packed(deflateSync(plain)))).toEqual(read(plain));
  expect(read(packed(deflateSync(plain), 'DEFLATE'))).toEqual(read(plain));
  expect(read(packed(gzipSync(plain), 'GZIP'))).toEqual(read(plain));
  expect(() => read(packed(deflateSync(new Uint8Array(50_000_000))))).toThrow(expect.objectContaining({ code: 'too-large' }));
  expect(() => read(packed(plain))).toThrow(PayloadError);
});

test('what is stepped over may be anything', () => {
  // A data set, a template and an extension of a metric, and an extension of the payload.
  const dataset = Uint8Array.of(18, 12, 0x8a, 1, 2, 8, 1, 0x92, 1, 1, 8, 0x9a, 1, 0);
  const bytes = Uint8Array.from([...dataset, 0x32, 2, 1, 2]);
  expect(read(bytes.subarray(0, 14)).metrics).toHaveLength(1);
});

test('whatever the bytes, it is a payload or an error of the payload: every truncation, every changed byte', () => {
  const whole = encodeSparkplug(FULL);
  const attempt = (bytes: Uint8Array): void => {
    try {
      read(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(PayloadError);
    }
  };
  for (let end = 0; end < whole.length; end++) attempt(whole.subarray(0, end));
  for (let at = 0; at < whole.length; at++) {
    for (const byte of [0, 1, 0x7f, 0x80, 0xff]) attempt(whole.with(at, byte));
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), attempt), { numRuns: 3000 });
  // Groups within groups.
  attempt(new Uint8Array(100_000).fill(0x0b));
  attempt(new Uint8Array(100_000).fill(0x13));
});

test('a message of very many metrics is refused before they are all made', () => {
  const empty = new Uint8Array(200_000);
  for (let at = 0; at < empty.length; at += 2) empty[at] = 18;
  expect(() => read(empty)).toThrow(expect.objectContaining({ code: 'too-large' }));
});

test('the command that asks for a rebirth is one metric', () => {
  const { timestampMs, metrics } = read(rebirthCommand(NOW));
  expect(timestampMs).toBe(NOW);
  expect(metrics).toEqual([
    expect.objectContaining({ name: 'Node Control/Rebirth', datatype: 11, value: true, timestampMs: NOW }),
  ]);
});
