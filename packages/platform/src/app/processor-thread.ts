import type { MessagePort } from 'node:worker_threads';
import { systemClock } from '../kernel/clock.ts';
import { observeEventLoopDelay } from '../kernel/event-loop-delay.ts';
import { openLogLines } from '../kernel/log-lines.ts';
import { openMetrics, type MetricsSnapshot } from '../kernel/metrics.ts';
import { openDiskLog } from '../log/drivers/disk/disk-log.ts';
import { type SparkplugCalls, sparkplugCalls } from '../payloads/sparkplug/node-report.ts';
import { TelemetryIngest } from '../telemetry/telemetry-ingest.ts';
import { registerTelemetryMetrics } from '../telemetry/telemetry-metrics.ts';
import { seriesLimits } from './cardinality-settings.ts';
import type { Config } from './config-schema.ts';
import type { DataPaths } from './data-folder.ts';
import { diskLogOptions } from './disk-log-options.ts';
import { NewDevices } from './new-devices.ts';
import { openProcessorDecoders } from './processor-decoders.ts';
import { runThread } from './thread.ts';

export interface ProcessorThreadData {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly logShared: SharedArrayBuffer;
  /** Told here: telemetry/hot-days.ts. */
  readonly hotDays: SharedArrayBuffer;
  /** Answers HotCalls here. */
  readonly hot: MessagePort;
  /** Posts live updates here. */
  readonly live: MessagePort;
  /** Answers UpkeepStoreCalls here. */
  readonly store: MessagePort;
  /** Takes the ids of devices that have telemetry, in open mode. */
  readonly newDevices: MessagePort;
  /** Takes what is to be done for edge nodes (SparkplugDesk). */
  readonly sparkplug: MessagePort;
}

/** What main may ask of the processor thread, besides HotCalls. */
// A type, not an interface: only that fits `Calls`, which has an index signature.
export type ProcessorCalls = SparkplugCalls & {
  metrics(argument: null): Promise<MetricsSnapshot>;
  /** The share of the log that is replayed, 0 to 1; `ready` once all of it is. */
  replay(argument: null): { readonly ready: boolean; readonly progress: number };
  stop(argument: null): Promise<void>;
};

await runThread<ProcessorThreadData, ProcessorCalls, null>(
  async ({ config, paths, logShared, hotDays, hot, live, store, ...ports }) => {
    const logLines = openLogLines({ level: config.logLevel, thread: 'processor' });
    const metrics = openMetrics('processor');
    const loopDelay = observeEventLoopDelay(metrics);
    const log = await openDiskLog({ ...diskLogOptions({ config, paths, shared: logShared, logLines }), role: 'reader' });
    const reported = config.access.mode === 'open' ? new NewDevices(ports.newDevices) : undefined;
    const decoders = openProcessorDecoders({ paths, clock: systemClock, news: ports.sparkplug, metrics, logLines });
    const ingest = new TelemetryIngest({
      log,
      dir: paths.telemetry,
      clock: systemClock,
      logLines,
      sealAfterMs: config.telemetry.sealAfterSec * 1000,
      memtablePoints: config.telemetry.maxUnsealedPoints,
      seriesLimits: seriesLimits(config.cardinality),
      facts: decoders.facts,
      memory: decoders.memory,
      hotDays,
      ...(reported === undefined ? {} : { onDevice: (id) => reported.add(id) }),
    });
    registerTelemetryMetrics(metrics, ingest);
    await ingest.start();
    ingest.serve(hot, live);
    ingest.serveUpkeep(store);

    return {
      ready: null,
      calls: {
        ...sparkplugCalls(decoders.sparkplug),
        metrics: async () => await metrics.getMetricsAsJSON(),
        replay: () => ({ ready: ingest.ready, progress: ingest.replayProgress }),
        stop: async () => {
          await ingest[Symbol.asyncDispose]();
          decoders[Symbol.dispose]();
          await log[Symbol.asyncDispose]();
          loopDelay[Symbol.dispose]();
        },
      },
    };
  },
);
