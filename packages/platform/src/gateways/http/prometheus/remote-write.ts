import { isDeviceId } from '../../../kernel/device-id.ts';
import { metricName } from '../../../points/metric-name.ts';
import { keyOf, type PointWriter } from '../../../points/point-writer.ts';
import { nameFault, timeFault } from '../../../points/sample-limits.ts';
import type { WrittenSeries } from './write-message.ts';

/** Labels that name the device; the first that a series has counts. */
export const DEVICE_LABELS: readonly string[] = ['device', 'device_id', 'instance'];

/** Samples that were not taken, and why the first of them were not. */
export class RemoteWriteProblems {
  samples = 0;
  readonly messages: string[] = [];

  add(samples: number, message: string): void {
    this.samples += samples;
    if (samples > 0 && this.messages.length < MAX_MESSAGES) this.messages.push(message);
  }
}

const MAX_MESSAGES = 10;

/**
 * Writes a series as the metric `name;label=value` of the device that one of the labels names.
 *
 * A value that is no number ends a series in Prometheus (a stale marker) or stands for one that could not be reckoned: there is no point
 * for it here. An infinite one cannot be kept, and is refused.
 */
export function writeSeries(
  { labels, samples, histograms }: WrittenSeries,
  deviceLabels: readonly string[],
  nowMs: number,
  writer: PointWriter,
  problems: RemoteWriteProblems,
): void {
  problems.add(histograms, 'native histograms are not kept: send classic ones');
  if (samples.length === 0) return;
  const naming = deviceLabels.find((name) => labels.some(([label]) => label === name));
  const id = labels.find(([label]) => label === naming)?.[1];
  const base = labels.find(([label]) => label === '__name__')?.[1];
  if (id === undefined) return problems.add(samples.length, `no label names a device: ${deviceLabels.join(', ')} would`);
  if (!isDeviceId(id)) return problems.add(samples.length, `${JSON.stringify(id.slice(0, 128))} is not a device id`);
  if (base === undefined) return problems.add(samples.length, 'a series has no label __name__');
  const name = metricName(
    base,
    labels.filter(([label]) => label !== naming && label !== '__name__'),
  );
  const fault = nameFault(name);
  if (fault !== undefined) return problems.add(samples.length, fault);
  const key = keyOf(name);
  const device = writer.device(id);
  for (const [timeMs, value] of samples) {
    if (Number.isNaN(value)) continue;
    const wrong = Number.isFinite(value) ? timeFault(timeMs, nowMs) : 'an infinite value cannot be kept';
    if (wrong !== undefined) {
      problems.add(1, `${wrong} (${name})`);
      continue;
    }
    writer.begin(device, timeMs);
    writer.name(key);
    writer.out.text(String(value));
    writer.end();
  }
}
