import { Counter, Gauge, type Registry } from 'prom-client';
import type { TelemetryIngest } from './telemetry-ingest.ts';

/** Shows the processor's plain counters as metrics; they are read when a scrape asks. */
export function registerTelemetryMetrics(registry: Registry, ingest: TelemetryIngest): void {
  const { writer } = ingest;
  const counts: readonly [name: string, help: string, read: () => number][] = [
    ['telemetry_records_total', 'Records consumed from the log, replayed ones included', () => writer.consumer.records],
    ['telemetry_points_total', 'Points taken into memory', () => writer.consumer.points],
    [
      'telemetry_replay_skipped_points_total',
      'Points seen again in a replay that were stored already',
      () => writer.consumer.skippedPoints,
    ],
    ['telemetry_stored_points_total', 'Points written to day files', () => writer.chunks.points],
    ['telemetry_stored_chunks_total', 'Chunks written to day files', () => writer.chunks.chunks],
    ['telemetry_stored_bytes_total', 'Bytes of the chunks written to day files', () => writer.chunks.bytes],
    ['telemetry_commits_total', 'Transactions on day files', () => writer.chunks.commits],
    ['telemetry_write_failures_total', 'Attempts of the store to write that failed', () => ingest.maintenance.failures],
    ['telemetry_read_failures_total', 'Attempts to read the log that failed', () => ingest.readFailures],
    ['telemetry_compacted_chunks_total', 'Chunks that compaction replaced', () => writer.compactor.chunksIn],
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
  const gauges: readonly [name: string, help: string, read: () => number][] = [
    ['telemetry_memtable_points', 'Points in memory that are not stored yet', () => writer.memtable.points],
    ['telemetry_memtable_buffers', 'Series and days that have points in memory', () => writer.memtable.buffers],
    ['telemetry_memtable_fill_ratio', 'Share of the memory for points that is in use', () => writer.memtable.fill],
    ['telemetry_devices', 'Devices that have telemetry', () => writer.devices.size],
    ['telemetry_day_files', 'Day files', () => writer.files.count],
    [
      'telemetry_bytes_per_point',
      'Bytes of the chunks written, by their points',
      () => (writer.chunks.points === 0 ? 0 : writer.chunks.bytes / writer.chunks.points),
    ],
    ['telemetry_consumer_lag_records', 'Records in the log that are not consumed', () => ingest.lagRecords],
    ['telemetry_consumer_lag_seconds', 'Age of the oldest record that is not consumed', () => ingest.lagSeconds],
    ['telemetry_replay_ratio', 'Share of the replay at start that is done', () => ingest.replayProgress],
    ['telemetry_store_failing', '1 while the store cannot write', () => Number(ingest.maintenance.failing)],
  ];
  for (const [name, help, read] of gauges) {
    const gauge: Gauge = new Gauge({ name: `selsyn_${name}`, help, registers: [registry], collect: () => gauge.set(read()) });
  }
  const letters: Counter<'code'> = new Counter({
    name: 'selsyn_telemetry_dead_letters_total',
    help: 'Records that were no telemetry, by reason',
    labelNames: ['code'],
    registers: [registry],
    collect: () => {
      letters.reset();
      for (const [code, count] of writer.deadLetters.byCode) letters.inc({ code }, count);
    },
  });
}
