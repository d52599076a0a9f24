import { createRequire } from 'node:module';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { PointWriter } from '../../../points/point-writer.ts';
import { pointsOf } from '../../../points/points.fixture.ts';
import { DEVICE_LABELS, RemoteWriteProblems, writeSeries } from './remote-write.ts';
import { unpackSnappy } from './snappy.ts';
import { seriesOf } from './write-message.ts';

const { compress } = createRequire(import.meta.url)('snappyjs') as { compress(data: Uint8Array): Uint8Array };
/** As Prometheus has it: prompb/remote.proto and prompb/types.proto. */
const { root } = protobuf.parse(`
  syntax = "proto3";
  package prometheus;
  message WriteRequest { repeated TimeSeries timeseries = 1; reserved 2; repeated MetricMetadata metadata = 3; }
  message MetricMetadata { int32 type = 1; string metric_family_name = 2; string help = 4; string unit = 5; }
  message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3; repeated Histogram histograms = 4; }
  message Label { string name = 1; string value = 2; }
  message Sample { double value = 1; int64 timestamp = 2; }
  message Exemplar { repeated Label labels = 1; double value = 2; int64 timestamp = 3; }
  message Histogram { uint64 count_int = 1; double sum = 3; }
`);
const WriteRequest = root.lookupType('prometheus.WriteRequest');
const NOW_MS = 1_800_000_000_000;

interface Series {
  readonly labels: readonly { readonly name: string; readonly value: string }[];
  readonly samples: readonly { readonly value: number; readonly timestamp: number }[];
  readonly exemplars?: readonly object[];
  readonly histograms?: readonly object[];
}

function encode(timeseries: readonly Series[]): Uint8Array {
  const metadata = [{ type: 1, metricFamilyName: 'up', help: 'h', unit: '' }];
  return WriteRequest.encode(WriteRequest.fromObject({ timeseries, metadata })).finish();
}

function write(timeseries: readonly Series[], labels = DEVICE_LABELS) {
  const writer = new PointWriter({ lanes: 1, laneOf: () => 0 });
  const problems = new RemoteWriteProblems();
  for (const series of seriesOf(encode(timeseries))) writeSeries(series, labels, NOW_MS, writer, problems);
  const points = writer.batches().flatMap((batch) => (batch === undefined ? [] : pointsOf(batch)));
  return { points: points.map(({ device, metric, ts, value }) => [device, metric, ts, value]), problems };
}

const labels = (of: Readonly<Record<string, string>>) => Object.entries(of).map(([name, value]) => ({ name, value }));

describe('a WriteRequest of Prometheus', () => {
  it('is read as protobuf has it, whatever numbers and texts are in it', () => {
    const sample = fc.record({ value: fc.double(), timestamp: fc.maxSafeInteger() });
    const label = fc.record({ name: fc.string({ unit: 'grapheme' }), value: fc.string({ unit: 'grapheme' }) });
    const series = fc.record({
      labels: fc.array(label, { maxLength: 4 }),
      samples: fc.array(sample, { maxLength: 4 }),
      exemplars: fc.array(fc.record({ value: fc.double(), timestamp: fc.maxSafeInteger() }), { maxLength: 2 }),
      histograms: fc.array(fc.record({ sum: fc.double() }), { maxLength: 2 }),
    });
    fc.assert(
      fc.property(fc.array(series, { maxLength: 4 }), (all) => {
        expect([...seriesOf(encode(all))]).toEqual(
          all.map((each) => ({
            labels: each.labels.map(({ name, value }) => [name, value]),
            samples: each.samples.map(({ value, timestamp }) => [timestamp, value]),
            histograms: each.histograms.length,
          })),
        );
      }),
    );
  });

  it('is refused, and nothing else happens, where it was cut off or changed anywhere', () => {
    const whole = encode([{ labels: labels({ __name__: 'up', instance: 'a' }), samples: [{ value: 1, timestamp: NOW_MS }] }]);
    const read = (data: Uint8Array): string => {
      try {
        return `${[...seriesOf(data)].length}`;
      } catch (error) {
        return error instanceof Error ? error.message : '';
      }
    };
    for (let cut = 0; cut < whole.length; cut++) expect(read(whole.subarray(0, cut))).toMatch(/^[01]$|is not a WriteRequest/);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (data) => {
        expect(read(data)).toMatch(/^\d+$|is not a WriteRequest/);
      }),
      { numRuns: 5000 },
    );
  });

  it('is refused where a series has samples without end, before memory is taken for them', () => {
    const samples = new Uint8Array(2 * 60_000).map((_, i) => (i % 2 === 0 ? 0x12 : 0));
    const message = Uint8Array.of(
      0x0a,
      0x80 | (samples.length & 0x7f),
      0x80 | ((samples.length >> 7) & 0x7f),
      samples.length >> 14,
      ...samples,
    );
    expect(() => [...seriesOf(message)]).toThrow('at most 50000 samples');
  });

  it('becomes points of the device that a label names', () => {
    const { points, problems } = write([
      { labels: labels({ __name__: 'node_cpu_seconds_total', cpu: '0', instance: 'web-1:9100', job: 'node', mode: 'idle' }), samples: [{ value: 1.5, timestamp: 1000 }, { value: 2, timestamp: 2000 }] },
      { labels: labels({ __name__: 'up', device: 'pump-1', instance: 'gateway:80' }), samples: [{ value: 1, timestamp: 1000 }] },
    ]); // prettier-ignore
    expect(problems.samples).toBe(0);
    expect(points).toEqual([
      ['web-1:9100', 'node_cpu_seconds_total;cpu=0;job=node;mode=idle', 1000, 1.5],
      ['web-1:9100', 'node_cpu_seconds_total;cpu=0;job=node;mode=idle', 2000, 2],
      ['pump-1', 'up;instance=gateway:80', 1000, 1],
    ]);
  });

  it('has no points for stale markers, and names what cannot be kept', () => {
    const stale = new DataView(new ArrayBuffer(8));
    stale.setBigUint64(0, 0x7ff0000000000002n);
    const of = (more: Readonly<Record<string, string>>, value = 1, timestamp = 1000): Series => ({
      labels: labels({ __name__: 'm', instance: 'i', ...more }),
      samples: [{ value, timestamp }],
    });
    const { points, problems } = write([
      of({}, stale.getFloat64(0)),
      of({}, Number.POSITIVE_INFINITY),
      of({ instance: '[::1]:9100' }),
      of({ long: 'x'.repeat(300) }),
      of({}, 1, NOW_MS + 2 * 86_400_000),
      { labels: labels({ __name__: 'm' }), samples: [{ value: 1, timestamp: 1 }] },
      { labels: labels({ instance: 'i' }), samples: [{ value: 1, timestamp: 1 }] },
      { labels: labels({ __name__: 'm', instance: 'i' }), samples: [], histograms: [{ sum: 1 }] },
      of({}, 3),
    ]);
    expect(points).toEqual([['i', 'm', 1000, 3]]);
    expect(problems.samples).toBe(7);
    expect(problems.messages.join('\n')).toMatch(
      /infinite[^]*"\[::1\]:9100" is not a device id[^]*at most 256[^]*in the future[^]*no label names a device[^]*__name__[^]*native histograms/,
    );
  });
});

describe('snappy', () => {
  it('unpacks what another implementation has packed', () => {
    const data = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.array(fc.constantFrom('up', 'instance', 'abc', '\0'), { maxLength: 20_000 }).map((words) => Buffer.from(words.join(''))),
    );
    fc.assert(
      fc.property(data, (bytes) => {
        expect(Buffer.from(unpackSnappy(compress(Uint8Array.from(bytes)), 1e6)).equals(Buffer.from(bytes))).toBe(true);
      }),
    );
  });

  it('refuses what says that it is larger than may be, before it takes memory for it', () => {
    expect(() => unpackSnappy(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0), 1000)).toThrow(/at most 1000 bytes/);
  });

  it('refuses what is broken: never more, never less than the length that it says, and always in time', () => {
    const packed = compress(Uint8Array.from(Buffer.from('abcabcabcabcabcabcabcabcabc-'.repeat(20))));
    for (let cut = 0; cut < packed.length; cut++) expect(() => unpackSnappy(packed.subarray(0, cut), 1e6)).toThrow(/snappy/);
    for (const bytes of [
      [],
      [5],
      [2, 0xfc, 0xff, 0xff, 0xff, 0xff],
      [4, 0x01, 0x00],
      [4, 0x00, 0x61, 0x05, 0x09],
      [0, 0x00, 0x61],
      [0x80, 0x80, 0x80, 0x80, 0x80, 1],
    ]) {
      expect(() => unpackSnappy(Uint8Array.from(bytes), 1e6)).toThrow(/snappy/);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          unpackSnappy(bytes, 1000);
        } catch (error) {
          expect(String(error)).toMatch(/snappy|at most/);
        }
      }),
      { numRuns: 5000 },
    );
  });
});
