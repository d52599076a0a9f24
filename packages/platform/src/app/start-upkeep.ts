import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { OwnMessage } from '../broker/own-message.ts';
import { ThreadCaller } from '../kernel/thread-channel.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Config } from './config-schema.ts';
import type { DataPaths } from './data-folder.ts';
import type { MetricsHub } from './metrics-hub.ts';
import { Thread } from './thread.ts';
import type { UpkeepCalls } from './upkeep-services.ts';
import type { UpkeepThreadCalls, UpkeepThreadData } from './upkeep-thread.ts';

/** The thread that archives and lets go what telemetry has stored, and main's end of it. */
export interface UpkeepSide {
  readonly thread: Thread<UpkeepThreadCalls, null>;
  readonly calls: ThreadCaller<UpkeepCalls>;
}

/** A dry run over a million devices, a look at a full archive. */
const CALL_DEADLINE_MS = 120_000;

/** @throws SelsynError `data.unwritable`, `data.corrupt` */
export async function startUpkeep(options: {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly logShared: SharedArrayBuffer;
  /** To the processor: it answers UpkeepStoreCalls. */
  readonly store: MessagePort;
  readonly metrics: MetricsHub;
  /** To the subscribers of all gateway threads. */
  readonly publish: (messages: readonly OwnMessage[]) => Promise<unknown>;
  readonly logLines: LogLines;
}): Promise<UpkeepSide> {
  const { config, paths, logShared, store, metrics, publish, logLines } = options;
  const [calls, messages] = [new MessageChannel(), new MessageChannel()];
  const thread = await Thread.start<UpkeepThreadData, UpkeepThreadCalls, null>({
    name: 'upkeep',
    script: new URL('./upkeep-thread.ts', import.meta.url),
    data: { config, paths, logShared, store, calls: calls.port1, messages: messages.port1 },
    transfer: [store, calls.port1, messages.port1],
  });
  metrics.add(thread);
  messages.port2.on('message', (published: readonly OwnMessage[]) => {
    publish(published).catch((error: unknown) => logLines.warn({ err: error }, 'A message on the store could not be published'));
  });
  messages.port2.unref();
  return { thread, calls: new ThreadCaller<UpkeepCalls>(calls.port2, CALL_DEADLINE_MS) };
}
