import type { MessagePort } from 'node:worker_threads';
import type { OwnMessage } from '../broker/own-message.ts';
import { openSqliteReader } from '../database/drivers/sqlite/sqlite-database.ts';
import { systemClock } from '../kernel/clock.ts';
import { observeEventLoopDelay } from '../kernel/event-loop-delay.ts';
import { openLogLines } from '../kernel/log-lines.ts';
import { openMetrics, type MetricsSnapshot } from '../kernel/metrics.ts';
import { serveCalls, ThreadCaller } from '../kernel/thread-channel.ts';
import type { UpkeepStoreCalls } from '../telemetry/upkeep-calls.ts';
import type { Config } from './config-schema.ts';
import type { DataPaths } from './data-folder.ts';
import { runThread } from './thread.ts';
import { openUpkeepServices, type UpkeepCalls } from './upkeep-services.ts';

export interface UpkeepThreadData {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly logShared: SharedArrayBuffer;
  /** The processor answers UpkeepStoreCalls there. */
  readonly store: MessagePort;
  /** Answers UpkeepCalls here. */
  readonly calls: MessagePort;
  /** Takes `readonly OwnMessage[]`: what is to be published. */
  readonly messages: MessagePort;
}

/** What main asks besides. */
export type UpkeepThreadCalls = {
  metrics(argument: null): Promise<MetricsSnapshot>;
  stop(argument: null): Promise<void>;
};

/** The processor answers between two slices of its own work. */
const STORE_DEADLINE_MS = 30_000;

await runThread<UpkeepThreadData, UpkeepThreadCalls, null>(async ({ config, paths, logShared, store, calls, messages }) => {
  const clock = systemClock;
  const logLines = openLogLines({ level: config.logLevel, thread: 'upkeep' });
  const metrics = openMetrics('upkeep');
  const loopDelay = observeEventLoopDelay(metrics);
  const registry = openSqliteReader(paths.registry);
  const services = await openUpkeepServices({
    config,
    paths,
    logShared,
    registry: registry.database,
    store: new ThreadCaller<UpkeepStoreCalls>(store, STORE_DEADLINE_MS),
    publish: (published: readonly OwnMessage[]) => messages.postMessage(published),
    clock,
    metrics,
    logLines,
  });
  serveCalls<UpkeepCalls>(calls, services.calls);
  services.start();

  return {
    ready: null,
    calls: {
      metrics: async () => await metrics.getMetricsAsJSON(),
      stop: async () => {
        await services[Symbol.asyncDispose]();
        calls.close();
        messages.close();
        store.close();
        await registry[Symbol.asyncDispose]();
        loopDelay[Symbol.dispose]();
      },
    },
  };
});
