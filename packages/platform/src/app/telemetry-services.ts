import type { MessagePort } from 'node:worker_threads';
import type { OwnMessage } from '../broker/own-message.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { DeviceStore } from '../registry/device-store.ts';
import type { DeviceTypeStore } from '../registry/device-type-store.ts';
import type { Sealer } from '../secrets/sealer.ts';
import { SharedLiveFeed } from '../telemetry/query-live-feed.ts';
import { StoreQueries } from '../telemetry/query-store.ts';
import { openArchiveMain } from './archive-services.ts';
import { CardinalityWatch } from './cardinality-watch.ts';
import type { Config } from './config-schema.ts';
import type { DataPaths } from './data-folder.ts';
import { openForwarding } from './forwarding-services.ts';
import type { MetricsHub } from './metrics-hub.ts';
import { openPayloadServices } from './payload-services.ts';
import { ReplayWatch } from './replay-watch.ts';
import { openRetentionMain } from './retention-services.ts';
import { openSql } from './sql-services.ts';
import { startProcessor, type ProcessorSide } from './start-processor.ts';
import { startUpkeep } from './start-upkeep.ts';
import { openTransfer } from './transfer-services.ts';

interface Options {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly logShared: SharedArrayBuffer;
  /** The registry. */
  readonly database: Database;
  readonly metrics: MetricsHub;
  readonly clock: Clock;
  readonly logLines: LogLines;
  /** What ends with the platform is added. */
  readonly ending: AsyncDisposableStack;
}

/** Telemetry as it is taken and read: what is there before any gateway is. */
export interface Telemetry {
  readonly processor: ProcessorSide;
  readonly queries: StoreQueries;
  readonly live: SharedLiveFeed;
  readonly replay: ReplayWatch;
  readonly payloads: ReturnType<typeof openPayloadServices>;
}

/** Starts the processor thread, and what main reads of it. @throws SelsynError `telemetry.store-failed`, `log.failed` */
export async function openTelemetry(
  options: Options & {
    /** Takes the ids of devices that have telemetry, in open mode. */
    readonly newDevices: MessagePort;
    readonly sparkplug: MessagePort;
    readonly deviceTypes: DeviceTypeStore;
  },
): Promise<Telemetry> {
  const { paths, database, clock, logLines, ending } = options;
  const processor = await startProcessor(options);
  ending.defer(async () => await processor.thread.stop());
  const { hot, hotDays } = processor;
  const queries = ending.use(new StoreQueries({ telemetryDir: paths.telemetry, hot, hotDays, clock }));
  const { deviceTypes } = options;
  const payloads = openPayloadServices({ database, clock, deviceTypes, telemetryDir: paths.telemetry, ending });
  const live = ending.use(new SharedLiveFeed({ hot, updates: processor.live, clock, log: logLines }));
  live.start();
  const replay = ending.use(new ReplayWatch({ processor: processor.thread.calls, clock }));
  replay.start();
  return { processor, queries, live, replay, payloads };
}

/** What becomes of telemetry: kept, archived, erased, forwarded, asked by SQL, taken out. Started once messages can be published. */
export async function openTelemetryLife(
  options: Options & {
    readonly telemetry: Telemetry;
    readonly devices: DeviceStore;
    readonly sealer: Sealer;
    readonly publish: (messages: readonly OwnMessage[]) => Promise<unknown>;
  },
) {
  const { telemetry, publish, clock, logLines, ending } = options;
  const { processor, queries } = telemetry;
  const { hot } = processor;
  const { thread, calls: upkeep } = await startUpkeep({ ...options, store: processor.store });
  ending.defer(async () => await thread.stop());
  const archive = ending.use(await openArchiveMain({ ...options, upkeep }));
  const retention = ending.use(openRetentionMain({ ...options, upkeep, readers: queries }));
  const forwarders = await openForwarding(options);
  const cardinality = ending.use(new CardinalityWatch({ hot, publish, clock, logLines }));
  cardinality.start();
  return {
    /** Resolves, with the reason, when a thread has ended without which the platform cannot go on. */
    failed: thread.failed,
    /** What the API needs of it. */
    api: {
      eraser: archive.reading,
      archive: archive.reading,
      erasures: archive.reading,
      retention: retention.control,
      forwarders,
      cardinality,
      transfer: openTransfer({ ...options, telemetry: queries, archive: archive.index }),
      sql: openSql({ ...options, hot, archive: archive.index }),
    },
  };
}
