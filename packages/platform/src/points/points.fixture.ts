import type { PointBatch } from './point-batch.ts';
import type { PointIntake } from './point-intake.ts';
import type { SampleValue } from './sample-limits.ts';

/** One point as it went to the log. */
export interface FakePoint {
  readonly device: string;
  readonly metric: string;
  readonly ts: number;
  readonly value: SampleValue;
}

/** Keeps what it is given, in two lanes. */
export class FakePointIntake implements PointIntake {
  readonly lanes = 2;
  readonly points: FakePoint[] = [];
  /** How many records there were. */
  records = 0;
  failure: unknown;

  laneOf(device: string): number {
    return device.length % 2;
  }

  async accept(batches: readonly (PointBatch | undefined)[]): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    for (const [lane, batch] of batches.entries()) {
      if (batch === undefined) continue;
      this.records += batch.ends.length;
      for (const point of pointsOf(batch)) {
        if (this.laneOf(point.device) !== lane) throw new Error(`${point.device} is in the wrong lane`);
        this.points.push(point);
      }
    }
  }
}

/** The points of a batch, read as JSON is. */
export function pointsOf({ devices, deviceIndex, data, ends }: PointBatch): FakePoint[] {
  const points: FakePoint[] = [];
  for (let record = 0; record < ends.length; record++) {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(data.subarray(ends[record - 1] ?? 0, ends[record]));
    const parsed = JSON.parse(text) as readonly { readonly ts: number; readonly values: Readonly<Record<string, SampleValue>> }[];
    const device = devices[deviceIndex[record] ?? -1] ?? '';
    for (const { ts, values } of parsed) {
      for (const [metric, value] of Object.entries(values)) points.push({ device, metric, ts, value });
    }
  }
  return points;
}
