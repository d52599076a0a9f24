import type { ServerStats, ServerStatsSource } from '../api/server-stats.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { MetricsSnapshot } from '../kernel/metrics.ts';
import { Sample } from './metrics-sample.ts';

const EVERY_MS = 1_000;
const QOS = ['0', '1', '2'] as const;

export interface StatsSamplerOptions {
  readonly snapshots: () => Promise<MetricsSnapshot[]>;
  readonly countDevices: () => Promise<number>;
  readonly clock: Clock;
  readonly logLines: LogLines;
  readonly version: string;
  readonly mqttPort: number;
}

/** Takes the metrics of all threads once a second; the stats are the difference of the last two. */
export class StatsSampler implements ServerStatsSource, Disposable {
  readonly #options: StatsSamplerOptions;
  readonly #startedMs: number;
  #stats: ServerStats;
  #before: Sample;
  #cancel: () => void = () => {};
  #stopped = false;

  constructor(options: StatsSamplerOptions) {
    this.#options = options;
    this.#startedMs = options.clock.monotonicMs();
    this.#before = new Sample(this.#startedMs, []);
    this.#stats = this.#compute(this.#before, 0);
  }

  start(): void {
    void this.#tick();
  }

  current(): ServerStats {
    return this.#stats;
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#cancel();
  }

  async #tick(): Promise<void> {
    const { clock, logLines, snapshots, countDevices } = this.#options;
    try {
      const [taken, devices] = await Promise.all([snapshots(), countDevices()]);
      const sample = new Sample(clock.monotonicMs(), taken);
      this.#stats = this.#compute(sample, devices);
      this.#before = sample;
    } catch (error) {
      if (!this.#stopped) logLines.warn({ err: error }, 'The rates could not be taken');
    }
    if (!this.#stopped) this.#cancel = clock.after(EVERY_MS, () => void this.#tick());
  }

  #compute(now: Sample, devices: number): ServerStats {
    const before = this.#before;
    const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1000);
    const rate = (name: string, labels: Readonly<Record<string, string>> = {}): number =>
      Math.max(0, (now.sum(name, labels) - before.sum(name, labels)) / seconds);
    const byQos = (name: string): ServerStats['messagesInPerSecond'] => {
      const [qos0 = 0, qos1 = 0, qos2 = 0] = QOS.map((qos) => rate(name, { qos }));
      return { qos0, qos1, qos2 };
    };
    const syncs = now.sum('selsyn_log_commit_seconds_count') - before.sum('selsyn_log_commit_seconds_count');
    const syncSeconds = now.sum('selsyn_log_commit_seconds_sum') - before.sum('selsyn_log_commit_seconds_sum');
    const storePoints = now.sum('selsyn_telemetry_stored_points_total');
    const storeBytes = now.sum('selsyn_telemetry_stored_bytes_total');
    return {
      atMs: this.#options.clock.now(),
      uptimeMs: now.atMs - this.#startedMs,
      version: this.#options.version,
      mqttPort: this.#options.mqttPort,
      devices,
      connections: now.sum('selsyn_mqtt_connections'),
      messagesInPerSecond: byQos('selsyn_mqtt_messages_received_total'),
      messagesOutPerSecond: byQos('selsyn_mqtt_messages_sent_total'),
      pointsPerSecond: rate('selsyn_telemetry_points_total'),
      bytesInPerSecond: rate('selsyn_mqtt_received_bytes_total'),
      messagesIn: now.sum('selsyn_mqtt_messages_received_total'),
      messagesOut: now.sum('selsyn_mqtt_messages_sent_total'),
      points: now.sum('selsyn_telemetry_points_total'),
      deadLetters: now.sum('selsyn_telemetry_dead_letters_total'),
      log: {
        recordsPerSecond: rate('selsyn_log_records_total'),
        syncsPerSecond: syncs / seconds,
        syncMs: syncs > 0 ? (syncSeconds / syncs) * 1000 : 0,
        lagRecords: now.sum('selsyn_telemetry_consumer_lag_records'),
        lagMs: now.max('selsyn_telemetry_consumer_lag_seconds') * 1000,
      },
      store: { points: storePoints, bytes: storeBytes, bytesPerPoint: storePoints > 0 ? storeBytes / storePoints : 0 },
      memoryBytes: process.memoryUsage.rss(),
      threads: now
        .perThread('selsyn_event_loop_delay_seconds', { quantile: '0.99' })
        .map(({ name, value }) => ({ name, eventLoopDelayMs: value * 1000 })),
    };
  }
}
