import { Gauge, type Registry } from 'prom-client';
import { total } from '../kernel/metrics.ts';
import type { Archiver } from './archiver.ts';
import type { ArchiveService } from './archive-service.ts';

/** Shows how the archive gets on; read when a scrape asks. */
export function registerArchiveMetrics(registry: Registry, service: ArchiveService, archiver: Archiver | undefined): void {
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
    [
      'archive_bad_objects',
      'Archived objects that are damaged or gone, or that something fails with, and are left as they are',
      () => service.status().badObjects,
    ],
    ['erasures_open', 'Devices whose telemetry is being erased', () => service.status().openErasures],
  ];
  for (const [name, help, read] of gauges) {
    const gauge: Gauge = new Gauge({ name: `selsyn_${name}`, help, registers: [registry], collect: () => gauge.set(read()) });
  }
  const counts: readonly [name: string, help: string, read: () => number][] = [
    ['archive_failures_total', 'Attempts to archive or erase that failed', () => service.failures],
    ['archive_stored_objects_total', 'Objects that were stored and verified', () => archiver?.publisher.uploadedObjects ?? 0],
    ['archive_stored_bytes_total', 'Their bytes', () => archiver?.publisher.uploadedBytes ?? 0],
    [
      'archive_left_out_chunks_total',
      'Chunks that cannot be decoded and were left out of archived hours; one counts in each hour that it reaches into',
      () => archiver?.leftOutChunks ?? 0,
    ],
  ];
  for (const [name, help, read] of counts) total(registry, `selsyn_${name}`, help, read);
}
