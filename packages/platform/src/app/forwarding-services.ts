import type { Database } from '../database/schema.ts';
import { ForwarderService } from '../forwarding/forwarder-service.ts';
import { ForwarderStore } from '../forwarding/forwarder-store.ts';
import type { Log, Offset } from '../log/log.ts';
import type { Sealer } from '../secrets/sealer.ts';
import { ForwarderSide, type ForwarderSideOptions } from './start-forwarder.ts';

/** Keeps all that the log has until the forwarders say what they still need of it: before anybody releases anything. */
export function holdLog(log: Log): void {
  for (const partition of log.partitions) log.hold(partition, 0 as Offset);
}

/** Who gets copies of live telemetry, and the thread that sends them. */
export async function openForwarding(
  options: Omit<ForwarderSideOptions, 'forwarders'> & {
    readonly database: Database;
    readonly sealer: Sealer;
    readonly ending: AsyncDisposableStack;
  },
): Promise<ForwarderService> {
  const { database, sealer, clock, ending } = options;
  const store = new ForwarderStore({ database, clock, sealer });
  const side = ending.use(new ForwarderSide({ ...options, forwarders: async () => await store.list() }));
  await side.start();
  return new ForwarderService({ store, calls: side.calls });
}
