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
    ['telemetry_rollup_rows_total', 'Series and days whose rollups were written', () => writer.rollups.rows],
    ['telemetry_rollup_failures_total', 'Attempts to write rollups that failed', () => ingest.maintenance.rollUpFailures],
    [
      'telemetry_rollup_unreadable_series_total',
      'Attempts to roll up a series that has a broken chunk',
      () => writer.rollups.unreadable,
    ],
    [
      'telemetry_rollup_left_out_chunks_total',
      'Chunks that cannot be decoded and were left out of the rollups of a day that is over; again each time that it is rolled up',
      () => writer.rollups.leftOut.count,
    ],
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
    ['telemetry_series', 'Series that there are', () => writer.devices.quotas.series],
    ['telemetry_series_limit', 'Series that there may be; +Inf: no limit', () => writer.devices.quotas.limits.whole],
    [
      'telemetry_devices_near_series_limit',
      'Devices at 80 % of the series that they may have, or beyond; at most 100 are counted',
      () => writer.cardinality.usage.devices.length,
    ],
    ['telemetry_day_files', 'Day files', () => writer.files.count],
    ['telemetry_unrolled_days', 'Days of which points may not be in the rollups yet', () => writer.unrolled.all.length],
    ['telemetry_rollup_waiting_series', 'Series found that are to be rolled up next', () => writer.rollups.waiting],
    [
      'telemetry_rollup_lag_seconds',
      'For how long the oldest hour is over that is due to be rolled up; 0: none is',
      () => writer.rollups.lagMs / 1000,
    ],
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
  const odd: Counter<'kind'> = new Counter({
    name: 'selsyn_telemetry_odd_points_total',
    help: 'Points that are stored and do not fit their device type, by what is wrong with them',
    labelNames: ['kind'],
    registers: [registry],
    collect: () => {
      odd.reset();
      for (const [kind, count] of writer.quality.byKind) odd.inc({ kind }, count);
    },
  });
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
  const byType: readonly [name: string, help: string, read: 'series' | 'limit'][] = [
    ['telemetry_type_series', 'Series of devices of a type that has a limit', 'series'],
    ['telemetry_type_series_limit', 'Series that devices of a type may have together', 'limit'],
  ];
  for (const [name, help, read] of byType) {
    const gauge: Gauge<'type'> = new Gauge({
      name: `selsyn_${name}`,
      help,
      labelNames: ['type'],
      registers: [registry],
      collect: () => {
        gauge.reset();
        for (const quota of writer.devices.quotas.types) {
          if (quota.limit !== Infinity) gauge.set({ type: quota.type }, quota[read]);
        }
      },
    });
  }
  const refused: Counter<'scope'> = new Counter({
    name: 'selsyn_telemetry_refused_series_messages_total',
    help: 'Messages whose new metrics were refused, by the limit that was reached',
    labelNames: ['scope'],
    registers: [registry],
    collect: () => {
      refused.reset();
      for (const [scope, count] of Object.entries(writer.devices.quotas.refused)) refused.inc({ scope }, count);
    },
  });
}
