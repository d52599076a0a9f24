import type { StateDatabase } from '../../database/schema.ts';
import type { Clock } from '../../kernel/clock.ts';
import { Sandbox } from '../../sandbox/sandbox.ts';
import type { RegistryFollower } from '../../state/registry-changes.ts';
import type { StateWriter } from '../../state/state-writer.ts';
import type { ShadowDomain } from '../shadow-domain.ts';
import type { ShadowDevices } from '../shadow-hooks.ts';
import { replicaCalls, type ReplicaCalls } from './replica-calls.ts';
import { ReplicaDomain } from './replica-domain.ts';

/** Shadows that edges have too, in the thread that writes them. */
export interface ReplicaServices extends AsyncDisposable {
  readonly follower: RegistryFollower;
  readonly calls: ReplicaCalls;
}

export function openReplicaServices(options: {
  readonly database: StateDatabase;
  readonly writer: Pick<StateWriter, 'run'>;
  readonly devices: ShadowDevices;
  readonly shadows: ShadowDomain;
  readonly clock: Clock;
}): ReplicaServices {
  const { database, writer, devices, shadows, clock } = options;
  const sandbox = new Sandbox({ clock });
  const domain = new ReplicaDomain({ shadows });
  return {
    follower: domain,
    calls: replicaCalls({ domain, writer, database, devices, sandbox, limits: shadows.limits }),
    [Symbol.asyncDispose]: async () => await sandbox[Symbol.asyncDispose](),
  };
}
