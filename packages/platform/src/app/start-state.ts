import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { openSqliteReader, type OpenDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import type { StateSchema } from '../database/schema.ts';
import { ThreadCaller } from '../kernel/thread-channel.ts';
import { EventFeed } from '../state/event-feed.ts';
import type { EventReport, WatchOrder } from '../state/event-watch.ts';
import type { Config } from './config-schema.ts';
import type { DataPaths } from './data-folder.ts';
import type { MetricsHub } from './metrics-hub.ts';
import type { StateCalls } from './state-services.ts';
import type { StateThreadCalls, StateThreadData } from './state-thread.ts';
import { Thread } from './thread.ts';

/** The thread of shadows, commands and jobs, and main's end of it. */
export interface StateSide {
  readonly thread: Thread<StateThreadCalls, null>;
  readonly calls: ThreadCaller<StateCalls>;
  readonly events: EventFeed;
  /** Sees what was last committed. */
  readonly reader: OpenDatabase<StateSchema>;
  /** Of the gateway threads, in their order. */
  readonly gatewayPorts: readonly MessagePort[];
}

/** Documents come and go by the ten thousand: with the default a tenth of the thread's time goes to collecting them. */
const STATE_YOUNG_GENERATION_MB = 64;
/** A command that is waited for may take as long as its caller allows: see commands. */
const CALL_DEADLINE_MS = 150_000;

/** Starts the thread, which brings its database up to date. @throws SelsynError `data.unwritable`, `data.corrupt` */
export async function startState(options: {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly metrics: MetricsHub;
}): Promise<StateSide> {
  const { config, paths, metrics } = options;
  const gateways = Array.from({ length: config.gateway.threads }, () => new MessageChannel());
  const [events, calls] = [new MessageChannel(), new MessageChannel()];
  const theirs = gateways.map(({ port1 }) => port1);
  const thread = await Thread.start<StateThreadData, StateThreadCalls, null>({
    name: 'state',
    script: new URL('./state-thread.ts', import.meta.url),
    data: { config, paths, gateways: theirs, events: events.port1, calls: calls.port1 },
    youngGenerationMb: STATE_YOUNG_GENERATION_MB,
    transfer: [...theirs, events.port1, calls.port1],
  });
  metrics.add(thread);
  const feed = new EventFeed((order: WatchOrder) => events.port2.postMessage(order));
  events.port2.on('message', (report: EventReport) => feed.take(report));
  events.port2.unref();
  return {
    thread,
    calls: new ThreadCaller<StateCalls>(calls.port2, CALL_DEADLINE_MS),
    events: feed,
    reader: openSqliteReader<StateSchema>(paths.state),
    gatewayPorts: gateways.map(({ port2 }) => port2),
  };
}
