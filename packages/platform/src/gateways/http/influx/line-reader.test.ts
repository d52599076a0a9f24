import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PointWriter } from '../../../points/point-writer.ts';
import { type FakePoint, pointsOf } from '../../../points/points.fixture.ts';
import { LineReader, LineSeriesCache } from './line-reader.ts';
import { type Precision, TimeReader } from './line-time.ts';
import { DEVICE_TAGS, type LineMapping } from './series-names.ts';

const NOW_MS = 1_800_000_000_000;
const MAPPING: LineMapping = { deviceTags: DEVICE_TAGS, device: undefined, droppedTags: new Set() };

function read(
  text: string | Buffer,
  options: { mapping?: Partial<LineMapping>; precision?: Precision; series?: LineSeriesCache } = {},
) {
  const series = options.series ?? new LineSeriesCache({ ...MAPPING, ...options.mapping });
  const writer = new PointWriter({ lanes: 2, laneOf: (device) => device.length % 2 });
  const time = new TimeReader(options.precision ?? 'ns');
  const reader = new LineReader(typeof text === 'string' ? Buffer.from(text) : text, { series, time, writer, nowMs: NOW_MS });
  while (reader.read(16));
  const points = writer.batches().flatMap((batch) => (batch === undefined ? [] : pointsOf(batch)));
  expect(writer.points).toBeGreaterThanOrEqual(points.length);
  return { points, problems: reader.problems, malformed: reader.malformed, refused: reader.refused, series };
}

const brief = (points: readonly FakePoint[]) => points.map(({ device, metric, ts, value }) => [device, metric, ts, value]);

describe('line protocol', () => {
  it('becomes points of the device that a tag names; the other tags stand in the name of the metric, in one order', () => {
    const lines = [
      'cpu,host=a,cpu=cpu0 usage_idle=97.5,usage_user=2i 1799999999000000000',
      'cpu,cpu=cpu0,host=a usage_idle=97.25 1799999999001999999',
      'net,zone=b,host=h,device=pump-1,iface=eth0 up=true,name="east side" 1799999999000000000',
    ];
    expect(new Set(brief(read(lines.join('\n')).points))).toEqual(
      new Set([
        ['a', 'cpu.usage_idle;cpu=cpu0', 1_799_999_999_000, 97.5],
        ['a', 'cpu.usage_user;cpu=cpu0', 1_799_999_999_000, 2],
        ['a', 'cpu.usage_idle;cpu=cpu0', 1_799_999_999_001, 97.25],
        ['pump-1', 'net.up;host=h;iface=eth0;zone=b', 1_799_999_999_000, true],
        ['pump-1', 'net.name;host=h;iface=eth0;zone=b', 1_799_999_999_000, 'east side'],
      ]),
    );
  });

  it('names the device by other tags, or by none, and leaves tags out, as the caller says', () => {
    const mapping = { deviceTags: ['sensor'], device: 'gateway', droppedTags: new Set(['version']) };
    const { points } = read('t,sensor=s1,version=1.2 v=1\nt,host=h v=2', { mapping });
    expect(brief(points)).toEqual([
      ['s1', 't.v', NOW_MS, 1],
      ['gateway', 't.v;host=h', NOW_MS, 2],
    ]);
  });

  it.each([
    ['ns', '1799999999123456789', 1_799_999_999_123],
    ['us', '1799999999123456', 1_799_999_999_123],
    ['ms', '1799999999123', 1_799_999_999_123],
    ['s', '1799999999', 1_799_999_999_000],
    ['m', '29999999', 1_799_999_940_000],
    ['h', '499999', 1_799_996_400_000],
    ['ns', '0', 0],
    ['ns', '999999', 0],
  ] as const)('reads a time in %s', (precision, text, timeMs) => {
    expect(read(`m,host=a v=1 ${text}`, { precision }).points.map(({ ts }) => ts)).toEqual([timeMs]);
  });

  it('keeps numbers as they are written, and writes those as JSON that JSON writes otherwise', () => {
    const series = read('m,host=a v=1').series;
    const numbers = ['0', '-0', '1.0', '1.', '.5', '-.5', '007', '00.5', '-01.50', '1e3', '1E+5', '2.5e-3', '0.1', '9223372036854775807i', '-5i', '007i', '18446744073709551615u', '123456789.123456789']; // prettier-ignore
    for (const text of numbers) {
      const { points, problems } = read(`m,host=a v=${text}`, { series });
      expect([text, problems, points.map(({ value }) => value)]).toEqual([text, [], [Number(text.replace(/[iu]$/, ''))]]);
    }
  });

  it('says of each line that is none in which line of the body it stands, and takes the others', () => {
    const text = 'm,host=a v=1\n# a comment\n\nm,host=a v=\nm,host=a s="two\nlines" 5\nm,host=a\nm,host=a v=2';
    const { points, problems, malformed } = read(text);
    expect(points.map(({ value }) => value)).toEqual([1, 'two\nlines', 2]);
    expect(malformed).toBe(2);
    expect(problems).toEqual([
      { line: 4, kind: 'malformed', message: "unable to parse 'm,host=a v=': missing field value" },
      { line: 7, kind: 'malformed', message: "unable to parse 'm,host=a': missing fields" },
    ]);
  });

  it('reads no further once too many lines are none', () => {
    const { points, malformed } = read(`m,host=a v=1\n${'x\n'.repeat(10_001)}m,host=a v=2`);
    expect([points.length, malformed]).toEqual([1, 10_000]);
  });

  it('refuses a line that would keep others waiting, and takes a wide one as several records', () => {
    const fields = (count: number): string => Array.from({ length: count }, (_, i) => `field-${i}=${i}`).join(',');
    expect(read(`m,host=a ${fields(10_001)}`)).toMatchObject({ malformed: 1, points: [] });
    const wide = read(`m,host=a ${fields(9_000)}`);
    expect([wide.malformed, wide.points.length]).toEqual([0, 9_000]);
  });

  it.each([
    ['m v=1', 'no tag names a device: "device", "device_id" or "host" would'],
    ['m,host=a\\ b v=1', '"a b" is not a device id (1 to 128 of A-Z a-z 0-9 : _ . -)'],
    [`m,host=a ${'x'.repeat(300)}=1`, 'has 302 bytes, and at most 256 are taken'],
    [`m,host=a v="${'x'.repeat(1025)}"`, 'a text has more than 1024 bytes (field "v")'],
    ['m,host=a v=1 -1', 'the time lies before 1970'],
    ['m,host=a v=1 1900000000000000000', 'the time lies more than 24 hours in the future'],
    ['m,host=a a\u0001b=1', 'the name of a metric has a control character'],
  ])('refuses what the store would not keep: %s', (line, reason) => {
    const { points, problems, refused } = read(`m,host=a ok=1\n${line}\nm,host=a ok=2`);
    expect(points.map(({ value }) => value)).toEqual([1, 2]);
    expect(refused).toBe(1);
    expect(problems).toEqual([{ line: 2, kind: 'refused', message: expect.stringContaining(reason) }]);
  });

  it('refuses bytes that are no UTF-8 in their line alone', () => {
    const text = Buffer.concat([Buffer.from('m,host=a v=1\nm,host=a s="'), Buffer.from([0xff]), Buffer.from('"\nm,host=a v=2')]);
    const { points, problems } = read(text);
    expect(points.map(({ value }) => value)).toEqual([1, 2]);
    expect(problems).toMatchObject([{ line: 2, kind: 'malformed', message: expect.stringContaining('invalid UTF-8') }]);
  });

  it('takes a line of more fields than a sample may have, and lines with the returns of Windows', () => {
    const fields = Array.from({ length: 600 }, (_, n) => `f${n}=${n}`).join(',');
    const { points, problems } = read(`m,host=a ${fields} 1\r\nm,host=a v=1\r\n`);
    expect(problems).toEqual([]);
    expect(points.slice(0, 600).map(({ value }) => value)).toEqual(Array.from({ length: 600 }, (_, n) => n));
    expect(points).toHaveLength(601);
  });

  it('of a field that comes twice the last one counts', () => {
    const series = read('m,host=a v=1,w=2').series;
    expect(brief(read('m,host=a v=1,w=2,v=3', { series }).points)).toEqual([
      ['a', 'm.v', NOW_MS, 3],
      ['a', 'm.w', NOW_MS, 2],
    ]);
  });

  it('gives back what any writer of the protocol has written, the first time and when the series is known', () => {
    const name = fc.string({
      unit: fc.constantFrom('a', 'B', '_', '.', ' ', ',', '=', ';', '"', 'é', '日', '-'),
      minLength: 1,
      maxLength: 5,
    });
    const value = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.integer(),
      fc.boolean(),
      fc.string({ unit: 'grapheme', maxLength: 12 }),
      fc.string({ unit: fc.constantFrom('"', '\\', ',', '=', ' ', '\n', 'n') }),
    );
    const line = fc.record({
      measurement: name.filter((text) => !text.startsWith('#')),
      device: fc.stringMatching(/^[A-Za-z0-9:_.-]{1,5}$/),
      tags: fc.uniqueArray(fc.tuple(name, name), { maxLength: 3, selector: ([tag]) => tag }),
      fields: fc.uniqueArray(fc.tuple(name, value), { minLength: 1, maxLength: 4, selector: ([field]) => field }),
      timeMs: fc.integer({ min: 0, max: NOW_MS }),
    });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
        const text = lines.map(writeLine).join('\n');
        const expected = lines.flatMap(({ device, fields, timeMs }) => fields.map(([, each]) => [device, timeMs, each]));
        const first = read(text);
        const second = read(text, { series: first.series });
        expect(first.problems).toEqual([]);
        // By lanes: the order of the body within each.
        const lane = (of: unknown): number => String(of).length % 2;
        const shown = first.points.map(({ device, ts, value: each }) => [device, ts, each]);
        expect(shown).toEqual([...expected.filter(([d]) => lane(d) === 0), ...expected.filter(([d]) => lane(d) === 1)]);
        expect(second.points).toEqual(first.points);
      }),
      { numRuns: 2000 },
    );
  });
});

function writeLine({
  measurement,
  device,
  tags,
  fields,
  timeMs,
}: {
  readonly measurement: string;
  readonly device: string;
  readonly tags: readonly (readonly [string, string])[];
  readonly fields: readonly (readonly [string, number | boolean | string])[];
  readonly timeMs: number;
}): string {
  const tag = (text: string): string => text.replaceAll(/[,= ]/g, '\\$&');
  const written = [['device', device], ...tags].map(([key = '', text = '']) => `,${tag(key)}=${tag(text)}`).join('');
  const values = fields.map(([key, value]) => {
    const text =
      typeof value === 'string' ? `"${value.replaceAll(/["\\]/g, '\\$&')}"` : Object.is(value, -0) ? '-0' : String(value);
    return `${tag(key).replaceAll('"', '\\"')}=${text}`;
  });
  return `${measurement.replaceAll(/[, ]/g, '\\$&')}${written} ${values.join(',')} ${timeMs}000000`;
}
