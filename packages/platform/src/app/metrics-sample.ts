import type { MetricsSnapshot } from '../kernel/metrics.ts';

/** prom-client leaves `metricName` out of its types: a histogram's sum and count are told from its buckets by it. */
type SampledValue = MetricsSnapshot[number]['values'][number] & { readonly metricName?: string };

/** The metrics of all threads at one time, by name. */
export class Sample {
  readonly atMs: number;
  readonly #snapshots: readonly MetricsSnapshot[];

  constructor(atMs: number, snapshots: readonly MetricsSnapshot[]) {
    this.atMs = atMs;
    this.#snapshots = snapshots;
  }

  /** The sum over all threads and labels, or of the values with these labels; 0 where there is none. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    let sum = 0;
    for (const { value } of this.#values(name, labels)) sum += value;
    return sum;
  }

  max(name: string): number {
    let max = 0;
    for (const { value } of this.#values(name, {})) max = Math.max(max, value);
    return max;
  }

  /** By thread. */
  perThread(name: string, labels: Readonly<Record<string, string>>): { readonly name: string; readonly value: number }[] {
    return this.#values(name, labels).map((entry) => ({ name: String(entry.labels['thread'] ?? 'main'), value: entry.value }));
  }

  #values(name: string, labels: Readonly<Record<string, string>>): SampledValue[] {
    const found: SampledValue[] = [];
    for (const snapshot of this.#snapshots) {
      for (const metric of snapshot) {
        if (!name.startsWith(metric.name)) continue;
        for (const entry of metric.values as SampledValue[]) {
          if ((entry.metricName ?? metric.name) !== name) continue;
          if (Object.entries(labels).every(([label, value]) => String(entry.labels[label]) === value)) found.push(entry);
        }
      }
    }
    return found;
  }
}
