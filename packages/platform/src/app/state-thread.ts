import { randomBytes } from 'node:crypto';
import type { MessagePort } from 'node:worker_threads';
import { openSqliteDatabase, openSqliteReader } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import type { StateSchema } from '../database/schema.ts';
import { STATE_MIGRATIONS } from '../database/state-migrations.ts';
import { systemClock } from '../kernel/clock.ts';
import { observeEventLoopDelay } from '../kernel/event-loop-delay.ts';
import { openLogLines } from '../kernel/log-lines.ts';
import { openMetrics, type MetricsSnapshot } from '../kernel/metrics.ts';
import { serveCalls } from '../kernel/thread-channel.ts';
import { openAuditOutbox } from '../state/audit-outbox.ts';
import { type EventReport, EventWatch, type WatchOrder } from '../state/event-watch.ts';
import { RegistryFollowing } from '../state/registry-following.ts';
import { StateDesk } from '../state/state-desk.ts';
import { registerStateMetrics } from '../state/state-metrics.ts';
import { StateWriter } from '../state/state-writer.ts';
import type { Config } from './config-schema.ts';
import type { DataPaths } from './data-folder.ts';
import { devicesOfState } from './state-devices.ts';
import { openStateServices, type StateCalls } from './state-services.ts';
import { runThread } from './thread.ts';

export interface StateThreadData {
  readonly config: Config;
  readonly paths: DataPaths;
  /** One for each gateway thread, in their order. */
  readonly gateways: readonly MessagePort[];
  /** Takes WatchOrder, gives EventReport. */
  readonly events: MessagePort;
  /** Answers StateCalls here: those that take long must not keep main's own waiting. */
  readonly calls: MessagePort;
}

/** What main asks besides. */
export type StateThreadCalls = {
  metrics(argument: null): Promise<MetricsSnapshot>;
  /** Main has changed the registry. @returns up to where its changes are followed, once those before this call are. */
  followRegistry(argument: null): Promise<number>;
  /** Changes up to this one are in the audit trail. */
  auditTaken(upTo: number): Promise<void>;
  stop(argument: null): Promise<void>;
};

/** Devices wait while pages go to their places: often, and few of them. */
const CHECKPOINT_PAGES = 2_000;

await runThread<StateThreadData, StateThreadCalls, null>(async (data) => {
  const { config, paths } = data;
  const clock = systemClock;
  const logLines = openLogLines({ level: config.logLevel, thread: 'state' });
  const metrics = openMetrics('state');
  const loopDelay = observeEventLoopDelay(metrics);
  const state = openSqliteDatabase<StateSchema>(paths.state, CHECKPOINT_PAGES);
  await migrate(state.database, STATE_MIGRATIONS, paths.state);
  await openAuditOutbox(state.database, clock.now());
  const registry = openSqliteReader(paths.registry);

  const desk = new StateDesk(data.gateways, logLines, clock);
  const watch = new EventWatch((report: EventReport) => data.events.postMessage(report));
  data.events.on('message', (order: WatchOrder) => watch.take(order));
  const writer = new StateWriter({
    database: state.database,
    outlet: {
      publish: (messages) => desk.publish(messages),
      isWatched: (device) => watch.isWatched(device),
      tell: (events) => watch.tell(events),
    },
    clock,
    logLines,
  });
  registerStateMetrics(metrics, writer);
  const services = await openStateServices({
    config,
    database: state.database,
    writer,
    registry: registry.database,
    clock,
    random: randomBytes,
    metrics,
    logLines,
  });
  const following = new RegistryFollowing({
    registry: registry.database,
    followers: services.followers,
    writer,
    // In open mode devices need not be known.
    ...(config.access.mode !== 'open' && { devicesOfState: () => devicesOfState(state.database) }),
    clock,
    logLines,
  });
  await following.start(state.database);
  await services.start();
  serveCalls<StateCalls>(data.calls, services.calls);
  desk.open(services.domains);

  return {
    ready: null,
    calls: {
      metrics: async () => await metrics.getMetricsAsJSON(),
      followRegistry: async () => {
        await following.follow();
        return following.position;
      },
      auditTaken: async (upTo) => {
        await state.database.deleteFrom('state_audit').where('id', '<=', upTo).execute();
      },
      stop: async () => {
        // Gateways have stopped before: nothing new comes, and what was taken is written.
        await services[Symbol.asyncDispose]();
        await following[Symbol.asyncDispose]();
        await writer[Symbol.asyncDispose]();
        desk[Symbol.dispose]();
        data.calls.close();
        data.events.close();
        await registry[Symbol.asyncDispose]();
        await state[Symbol.asyncDispose]();
        loopDelay[Symbol.dispose]();
      },
    },
  };
});
