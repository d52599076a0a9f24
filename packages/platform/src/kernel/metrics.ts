import { AggregatorRegistry, Counter, Registry, type MetricObjectWithValues, type MetricValue } from 'prom-client';

/**
 * The metrics of one thread. Hot paths count in plain number fields; a metric's `collect` reads them when asked.
 * Each thread hands its snapshot to main, which joins them.
 */
export function openMetrics(thread: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ thread });
  return registry;
}

export type MetricsSnapshot = MetricObjectWithValues<MetricValue<string>>[];

/** What `/metrics` shows: the snapshots of all threads, in the Prometheus text format. */
export async function renderMetrics(snapshots: readonly MetricsSnapshot[]): Promise<string> {
  return await AggregatorRegistry.aggregate([...snapshots]).metrics();
}

/** A counter that is counted elsewhere, and read when the metrics are asked for. */
export function total(registry: Registry, name: string, help: string, read: () => number): void {
  new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}
