import type { Registry } from 'prom-client';
import type { CommandCalls } from '../commands/command-calls.ts';
import { registerCommandMetrics } from '../commands/command-metrics.ts';
import { Commands } from '../commands/commands.ts';
import type { Database, StateDatabase } from '../database/schema.ts';
import { openJobServices, type JobCalls } from '../jobs/rollout/job-services.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { RandomBytes } from '../kernel/secret.ts';
import { DeviceStore } from '../registry/device-store.ts';
import type { ShadowFleetCalls } from '../shadows/bulk/shadow-fleet-calls.ts';
import { ShadowFleet } from '../shadows/bulk/shadow-fleet.ts';
import { FleetRules } from '../shadows/defaults/fleet-rules.ts';
import type { ReplicaCalls } from '../shadows/replicas/replica-calls.ts';
import { openReplicaServices } from '../shadows/replicas/replica-services.ts';
import type { SearchCalls } from '../shadows/search/search-calls.ts';
import { openSearchServices } from '../shadows/search/search-services.ts';
import { shadowCalls, type ShadowCalls } from '../shadows/shadow-calls.ts';
import { ShadowDomain } from '../shadows/shadow-domain.ts';
import { RegistryShadowDevices } from '../shadows/registry-shadow-devices.ts';
import type { RegistryFollower } from '../state/registry-changes.ts';
import type { DeviceFacing } from '../state/state-domain.ts';
import type { StateWriter } from '../state/state-writer.ts';
import type { Config } from './config-schema.ts';
import { shadowOptions } from './shadow-settings.ts';

/** All that main may ask of the thread of the state, besides what is its own. */
export type StateCalls = ShadowCalls & ShadowFleetCalls & ReplicaCalls & SearchCalls & CommandCalls & JobCalls;

/** All kinds of state, in the thread that writes them. */
export interface StateServices extends AsyncDisposable {
  /** Asked in this order whose topic it is. */
  readonly domains: readonly DeviceFacing[];
  readonly followers: readonly RegistryFollower[];
  readonly calls: StateCalls;
  /** What goes on by itself: timers, bulk work. Called once the registry was followed up to now. */
  start(): Promise<void>;
}

export async function openStateServices(options: {
  readonly config: Config;
  readonly database: StateDatabase;
  readonly writer: StateWriter;
  /** To be read. */
  readonly registry: Database;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly metrics: Registry;
  readonly logLines: LogLines;
}): Promise<StateServices> {
  const { config, database, writer, registry, clock, random, logLines } = options;
  const shadowDevices = new RegistryShadowDevices(registry);
  const rules = new FleetRules({ registry, devices: shadowDevices });
  const search = await openSearchServices({ database, writer, clock, logLines });
  const shadows = new ShadowDomain({
    database,
    writer,
    devices: shadowDevices,
    clock,
    rules,
    followers: [search.follower],
    open: config.access.mode === 'open',
    ...shadowOptions(config.shadows),
  });
  const devices = new DeviceStore({ database: registry, clock });
  const fleet = new ShadowFleet({
    database,
    writer,
    registry,
    devices: shadowDevices,
    rules,
    shadows,
    deviceStore: devices,
    clock,
    random,
    logLines,
  });
  const replicas = openReplicaServices({ database, writer, devices: shadowDevices, shadows, clock });
  const commands = new Commands({ database, writer, devices, clock, random, logLines });
  registerCommandMetrics(options.metrics, commands);
  const jobs = openJobServices({ database, writer, registry, devices, clock, logLines });
  return {
    domains: [shadows, commands.desk, jobs.domain],
    followers: [shadows, replicas.follower, fleet.follower, commands.follower, jobs.domain, jobs.orchestration],
    calls: { ...shadowCalls(shadows), ...fleet.calls, ...replicas.calls, ...search.calls, ...commands.calls, ...jobs.calls },
    start: async () => {
      shadows.start();
      search.start();
      fleet.start();
      await commands.start();
      await jobs.start();
    },
    [Symbol.asyncDispose]: async () => {
      search[Symbol.dispose]();
      await fleet[Symbol.asyncDispose]();
      await replicas[Symbol.asyncDispose]();
      await jobs[Symbol.asyncDispose]();
      await commands[Symbol.asyncDispose]();
      shadows[Symbol.dispose]();
    },
  };
}
