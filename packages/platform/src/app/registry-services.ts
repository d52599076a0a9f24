import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { ConnectivityStore } from '../registry/connectivity-store.ts';
import { reindexIfOld } from '../registry/device-reindex.ts';
import { DeviceTypeStore } from '../registry/device-type-store.ts';
import { FleetStore } from '../registry/fleet-store.ts';
import { GroupStore } from '../registry/group-store.ts';
import { groupsAreNoted } from '../registry/registry-stream.ts';
import { retentionFollows } from '../retention/retention-policies.ts';
import { groupFollowers } from './group-followers.ts';

/** What devices are sorted by. */
export interface RegistryServices {
  readonly groups: GroupStore;
  readonly deviceTypes: DeviceTypeStore;
  readonly fleets: FleetStore;
  readonly connectivity: ConnectivityStore;
}

/** Brings the registry up to date with this program and with the fact that nobody is connected yet. */
export async function openRegistryServices(options: {
  readonly database: Database;
  readonly clock: Clock;
  readonly logLines: LogLines;
}): Promise<RegistryServices> {
  const { database, clock, logLines } = options;
  const startedMs = clock.monotonicMs();
  const devices = await reindexIfOld(database);
  if (devices !== undefined) {
    logLines.info(
      { devices, ms: Math.round(clock.monotonicMs() - startedMs) },
      'What devices are found by was put together anew',
    );
  }
  const connectivity = new ConnectivityStore({ database });
  await connectivity.disconnectAll(clock.now());
  return {
    groups: new GroupStore({
      database,
      clock,
      followers: [...groupFollowers, retentionFollows(clock), groupsAreNoted(() => clock.now())],
    }),
    deviceTypes: new DeviceTypeStore({ database, clock }),
    fleets: new FleetStore({ database, clock }),
    connectivity,
  };
}
