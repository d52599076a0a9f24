import { Gauge, type Registry } from 'prom-client';
import { total } from '../kernel/metrics.ts';
import type { StateWriter } from './state-writer.ts';

/** Shows what the writer of the state counts. */
export function registerStateMetrics(registry: Registry, writer: StateWriter): void {
  const { counters } = writer;
  total(registry, 'selsyn_state_batches_total', 'Transactions of shadows, commands and jobs.', () => counters.batches);
  total(
    registry,
    'selsyn_state_changes_total',
    'Changes and reads of shadows, commands and jobs that were done in them.',
    () => counters.works,
  );
  total(registry, 'selsyn_state_failed_total', 'Changes that could not be written.', () => counters.failed);
  new Gauge({
    name: 'selsyn_state_waiting',
    help: 'Changes of shadows, commands and jobs that wait for their transaction.',
    registers: [registry],
    collect() {
      this.set(writer.waiting);
    },
  });
}
