import { Counter, Gauge, type Registry } from 'prom-client';
import type { ArchiveService } from './archive-service.ts';
import type { Publisher } from './publisher.ts';

/** Shows how the archive gets on; read when a scrape asks. */
export function registerArchiveMetrics(registry: Registry, service: ArchiveService, publisher: Publisher | undefined): void {
  const gauges: readonly [name: string, help: string, read: () => number][] = [
    [
      'archive_lag_seconds',
      'How long the oldest hour is over that is not archived as it is',
      () => service.status().lagMs / 1000,
    ],
    ['archive_backlog_hours', 'Hours that are over and not archived as they are', () => service.status().backlogHours],
    ['archive_objects', 'Objects of the archive', () => service.status().objects],
    ['archive_bytes', 'Bytes of the objects of the archive', () => service.status().bytes],
    ['archive_points', 'Points of the archive', () => service.status().points],
    ['archive_failing', '1 while the last try to archive has failed', () => (service.status().lastError === undefined ? 0 : 1)],
    ['erasures_open', 'Devices whose telemetry is being erased', () => service.status().openErasures],
  ];
  for (const [name, help, read] of gauges) {
    const gauge: Gauge = new Gauge({ name: `selsyn_${name}`, help, registers: [registry], collect: () => gauge.set(read()) });
  }
  const counts: readonly [name: string, help: string, read: () => number][] = [
    ['archive_failures_total', 'Attempts to archive or erase that failed', () => service.failures],
    ['archive_stored_objects_total', 'Objects that were stored and verified', () => publisher?.uploadedObjects ?? 0],
    ['archive_stored_bytes_total', 'Their bytes', () => publisher?.uploadedBytes ?? 0],
  ];
  for (const [name, help, read] of counts) {
    const counter: Counter = new Counter({
      name: `selsyn_${name}`,
      help,
      registers: [registry],
      collect: () => {
        counter.reset();
        counter.inc(read());
      },
    });
  }
}
