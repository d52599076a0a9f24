import type { MessagePort } from 'node:worker_threads';
import { openSqliteReader } from '../database/drivers/sqlite/sqlite-database.ts';
import { openTarget } from '../forwarding/drivers/open-target.ts';
import type { ForwarderEvent, ForwardingCalls, OpenForwarder } from '../forwarding/forwarder.ts';
import { Forwarding } from '../forwarding/forwarding.ts';
import { registerForwardingMetrics } from '../forwarding/forwarding-metrics.ts';
import { PlaceStore } from '../forwarding/place-store.ts';
import { DecodedSamples } from '../forwarding/samples.ts';
import { systemClock } from '../kernel/clock.ts';
import { observeEventLoopDelay } from '../kernel/event-loop-delay.ts';
import { openLogLines } from '../kernel/log-lines.ts';
import { openMetrics, type MetricsSnapshot } from '../kernel/metrics.ts';
import { serveCalls } from '../kernel/thread-channel.ts';
import { openDiskLog } from '../log/drivers/disk/disk-log.ts';
import { SqliteDeviceFacts } from '../payloads/drivers/sqlite-device-facts.ts';
import { ScriptRunner } from '../sandbox/script-runner.ts';
import type { Config } from './config-schema.ts';
import type { DataPaths } from './data-folder.ts';
import { diskLogOptions } from './disk-log-options.ts';
import { backlogBounds } from './forwarding-settings.ts';
import { runThread } from './thread.ts';

export interface ForwarderThreadData {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly logShared: SharedArrayBuffer;
  readonly forwarders: readonly OpenForwarder[];
  /** Answers ForwardingCalls here. */
  readonly calls: MessagePort;
  /** Takes ForwarderEvent. */
  readonly events: MessagePort;
}

/** What main asks besides. */
export type ForwarderThreadCalls = {
  metrics(argument: null): Promise<MetricsSnapshot>;
  stop(argument: null): Promise<void>;
};

/** Of each reader: nothing is kept on them here. */
const MAX_SOURCES = 16_384;

await runThread<ForwarderThreadData, ForwarderThreadCalls, null>(
  async ({ config, paths, logShared, forwarders, calls, events }) => {
    const clock = systemClock;
    const logLines = openLogLines({ level: config.logLevel, thread: 'forwarder' });
    const metrics = openMetrics('forwarder');
    const loopDelay = observeEventLoopDelay(metrics);
    const log = await openDiskLog({
      ...diskLogOptions({ config, paths, shared: logShared, logLines }),
      role: 'reader',
      maxSources: MAX_SOURCES,
    });
    const registry = openSqliteReader(paths.registry);
    const scripts = new ScriptRunner();
    const places = PlaceStore.open(paths.forwarding);
    const forwarding = new Forwarding({
      log,
      places,
      registry: registry.database,
      openTarget: (open) => openTarget(open, { clock }),
      openSamples: () => {
        const facts = new SqliteDeviceFacts(paths.registry, { scripts });
        return Object.assign(new DecodedSamples(facts), { [Symbol.dispose]: () => facts[Symbol.dispose]() });
      },
      bounds: backlogBounds(config.forwarding),
      publish: (event: ForwarderEvent) => events.postMessage(event),
      clock,
      random: Math.random,
      logLines,
    });
    registerForwardingMetrics(metrics, forwarding);
    await forwarding.start(forwarders);
    serveCalls<ForwardingCalls>(calls, {
      putForwarder: async (open) => await forwarding.put(open),
      removeForwarder: async (id) => await forwarding.remove(id),
      forwarderStates: async () => await forwarding.states(),
      testForwarder: async (open) => await forwarding.test(open),
      resetForwarder: async ({ id, to }) => await forwarding.reset(id, to),
      refusedRecords: async ({ id, after, limit }) => forwarding.refused(id, after, limit),
      resendRefused: async (id) => await forwarding.resend(id),
      forgetForwarded: async (device) => forwarding.forgetDevice(device),
      discardRefused: async (id) => forwarding.discard(id),
    });

    return {
      ready: null,
      calls: {
        metrics: async () => await metrics.getMetricsAsJSON(),
        stop: async () => {
          await forwarding[Symbol.asyncDispose]();
          places[Symbol.dispose]();
          scripts[Symbol.dispose]();
          calls.close();
          events.close();
          await registry[Symbol.asyncDispose]();
          await log[Symbol.asyncDispose]();
          loopDelay[Symbol.dispose]();
        },
      },
    };
  },
);
