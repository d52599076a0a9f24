import type { Shape } from '@selsyn/wire/payload/shape.ts';
import type { MetricRanges } from '../payloads/metric-ranges.ts';
import { NO_SERIES } from './device-table.ts';
import type { QualityKind, QualityStore } from './quality-store.ts';
import type { PointValue } from './telemetry-queries.ts';

/** A record that counts: its samples, as RecordConsumer has put them down. */
export interface JudgedSamples {
  readonly device: string;
  readonly samples: number;
  readonly shapes: readonly Shape[];
  /** The series of each of a shape's metrics; NO_SERIES: it is not stored. */
  readonly slots: readonly Int32Array[];
  readonly times: readonly number[];
  /** Of all samples, one behind the other; NaN or older where `mixed` has the sample. */
  readonly numbers: Float64Array;
  readonly mixed: readonly (readonly PointValue[] | undefined)[];
}

/** Compares the points of a record with what the device type says of its metrics, and counts what does not fit. */
export function judge(record: JudgedSamples, ranges: MetricRanges, quality: QualityStore): void {
  const { device, samples, shapes, slots, times, numbers, mixed } = record;
  let from = 0;
  for (let sample = 0; sample < samples; sample++) {
    const shape = shapes[sample]!;
    const { length } = shape.names;
    const rules = ranges.ofShape(shape);
    const others = mixed[sample];
    const at = from;
    from += length;
    if (rules === undefined) continue;
    const { mins, maxs, types, numeric } = rules;
    if (mins === undefined && numeric && others === undefined) continue;
    for (let i = 0; i < length; i++) {
      if (slots[sample]![i] === NO_SERIES) continue;
      const value = others === undefined ? numbers[at + i]! : others[i]!;
      const type = types[i];
      let kind: QualityKind | undefined;
      if (type !== undefined && typeof value !== (type === 'text' ? 'string' : type)) kind = 'wrong-type';
      else if (mins !== undefined && typeof value === 'number' && (value < mins[i]! || value > maxs![i]!)) kind = 'out-of-range';
      if (kind !== undefined) quality.note({ device, metric: shape.names[i]!, kind, timeMs: times[sample]!, value, detail: '' });
    }
  }
}
