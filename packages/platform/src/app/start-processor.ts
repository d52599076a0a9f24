import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { ThreadCaller } from '../kernel/thread-channel.ts';
import type { HotCalls } from '../telemetry/hot-calls.ts';
import { shareHotDays } from '../telemetry/hot-days.ts';
import type { Config } from './config-schema.ts';
import type { DataPaths } from './data-folder.ts';
import type { MetricsHub } from './metrics-hub.ts';
import type { ProcessorCalls, ProcessorThreadData } from './processor-thread.ts';
import { Thread } from './thread.ts';

/** The thread that writes telemetry, and the others' ends of it. */
export interface ProcessorSide {
  readonly thread: Thread<ProcessorCalls, null>;
  readonly hot: ThreadCaller<HotCalls>;
  /** Of which days it has anything in memory (telemetry/hot-days.ts). */
  readonly hotDays: SharedArrayBuffer;
  /** Live updates come out of it. */
  readonly live: MessagePort;
  /** For the upkeep thread: it asks `UpkeepStoreCalls` there. */
  readonly store: MessagePort;
}

/** Starts the thread, which opens the store and begins to read the log. @throws SelsynError `telemetry.store-failed`, `log.failed` */
export async function startProcessor(options: {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly logShared: SharedArrayBuffer;
  /** Takes the ids of devices that have telemetry, in open mode. */
  readonly newDevices: MessagePort;
  /** Takes what is to be done for edge nodes. */
  readonly sparkplug: MessagePort;
  readonly metrics: MetricsHub;
}): Promise<ProcessorSide> {
  const { config, paths, logShared, newDevices, sparkplug, metrics } = options;
  const [hot, live, store] = [new MessageChannel(), new MessageChannel(), new MessageChannel()];
  const hotDays = shareHotDays();
  const theirs = [hot.port2, live.port2, store.port2, newDevices, sparkplug];
  const thread = await Thread.start<ProcessorThreadData, ProcessorCalls, null>({
    name: 'processor',
    script: new URL('./processor-thread.ts', import.meta.url),
    data: { config, paths, logShared, hotDays, hot: hot.port2, live: live.port2, store: store.port2, newDevices, sparkplug },
    transfer: theirs,
  });
  metrics.add(thread);
  return { thread, hot: new ThreadCaller<HotCalls>(hot.port1), hotDays, live: live.port1, store: store.port1 };
}
