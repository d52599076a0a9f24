import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Commands } from '../commands/commands.ts';
import { openSqliteDatabase, openSqliteReader } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import type { Database, StateDatabase, StateSchema } from '../database/schema.ts';
import { STATE_MIGRATIONS } from '../database/state-migrations.ts';
import { openJobServices, type JobServices } from '../jobs/rollout/job-services.ts';
import type { Clock } from '../kernel/clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import type { RandomBytes } from '../kernel/secret.ts';
import { localCaller } from '../kernel/thread-channel.ts';
import { DeviceStore } from '../registry/device-store.ts';
import { ShadowFleet } from '../shadows/bulk/shadow-fleet.ts';
import { FleetRules } from '../shadows/defaults/fleet-rules.ts';
import { RegistryShadowDevices } from '../shadows/registry-shadow-devices.ts';
import { openReplicaServices } from '../shadows/replicas/replica-services.ts';
import { openSearchServices } from '../shadows/search/search-services.ts';
import { shadowCalls } from '../shadows/shadow-calls.ts';
import { ShadowDomain } from '../shadows/shadow-domain.ts';
import { EventFeed } from '../state/event-feed.ts';
import { EventWatch } from '../state/event-watch.ts';
import type { OutgoingMessage } from '../state/outgoing.ts';
import { StateWriter } from '../state/state-writer.ts';
import type { ApiState, ApiStateCalls } from './api-state.ts';

export interface TestState extends AsyncDisposable {
  /** What the API gets. */
  readonly api: ApiState;
  readonly writer: StateWriter;
  /** Whether events of a device are wanted by anybody. */
  readonly isWatched: (device: string) => boolean;
  /** The connection that writes. */
  readonly database: StateDatabase;
  /** Messages to devices, in their order. */
  readonly published: OutgoingMessage[];
  readonly commands: Commands;
  readonly jobs: JobServices;
}

/** The state as in its own thread, but in this one: a file in a temporary folder, the writer and all domains. */
export async function openTestState(dependencies: {
  /** The registry. */
  readonly registry: Database;
  readonly clock: Clock;
  readonly random: RandomBytes;
}): Promise<TestState> {
  const { clock } = dependencies;
  const dir = mkdtempSync(join(tmpdir(), 'selsyn-state-'));
  const path = join(dir, 'state.db');
  const open = openSqliteDatabase<StateSchema>(path);
  const { database } = open;
  await migrate(database, STATE_MIGRATIONS);
  const reader = openSqliteReader<StateSchema>(path);
  const published: OutgoingMessage[] = [];
  const watch: EventWatch = new EventWatch((report) => events.take(report));
  const events = new EventFeed((order) => watch.take(order));
  const writer = new StateWriter({
    database,
    outlet: {
      publish: (messages) => void published.push(...messages),
      isWatched: (device) => watch.isWatched(device),
      tell: (told) => watch.tell(told),
    },
    clock,
    logLines: silentLogLines,
  });
  const devices = new RegistryShadowDevices(dependencies.registry);
  const rules = new FleetRules({ registry: dependencies.registry, devices });
  const search = await openSearchServices({ database, writer, clock, logLines: silentLogLines });
  const shadows = new ShadowDomain({ database, writer, devices, clock, rules, followers: [search.follower] });
  const replicas = openReplicaServices({ database, writer, devices, shadows, clock });
  const fleet = new ShadowFleet({ ...dependencies, database, writer, devices, rules, shadows, logLines: silentLogLines });
  fleet.start();
  const commands = new Commands({
    database,
    writer,
    devices: new DeviceStore({ database: dependencies.registry, clock }),
    clock,
    random: dependencies.random,
    logLines: silentLogLines,
  });
  await commands.start();
  const jobs = openJobServices({ database, writer, registry: dependencies.registry, clock, logLines: silentLogLines });
  await jobs.start();
  // Each domain adds its calls here.
  const calls: ApiStateCalls = {
    ...shadowCalls(shadows),
    ...fleet.calls,
    ...replicas.calls,
    ...search.calls,
    ...commands.calls,
    ...jobs.calls,
  };
  return {
    api: { reader: reader.database, calls: localCaller<ApiStateCalls>(calls), events },
    writer,
    isWatched: (device) => watch.isWatched(device),
    database,
    published,
    commands,
    jobs,
    async [Symbol.asyncDispose]() {
      search[Symbol.dispose]();
      await replicas[Symbol.asyncDispose]();
      await fleet[Symbol.asyncDispose]();
      await jobs[Symbol.asyncDispose]();
      await commands[Symbol.asyncDispose]();
      await writer[Symbol.asyncDispose]();
      await reader[Symbol.asyncDispose]();
      await open[Symbol.asyncDispose]();
      rmSync(dir, { recursive: true });
    },
  };
}
