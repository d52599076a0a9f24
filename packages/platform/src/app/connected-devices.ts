import type { DeviceId } from '../kernel/device-id.ts';
import type { ConnectivityChange } from '../registry/connectivity-store.ts';
import type { PresenceChange } from './control-desk.ts';

/** Counts the connections of devices over all threads, and keeps whether there are any. */
export class ConnectedDevices {
  readonly #record: (changes: readonly ConnectivityChange[]) => Promise<void>;
  readonly #connections = new Map<DeviceId, number>();

  /** @param record keeps changes, in this order. */
  constructor(record: (changes: readonly ConnectivityChange[]) => Promise<void>) {
    this.#record = record;
  }

  /** Devices with a connection. */
  get size(): number {
    return this.#connections.size;
  }

  /** What one thread reports. Where a device moves from one thread to another, its leaving may be heard of after its coming. */
  async apply(changes: readonly PresenceChange[]): Promise<void> {
    const turned: ConnectivityChange[] = [];
    for (const { device, change, atMs, reason } of changes) {
      const before = this.#connections.get(device) ?? 0;
      const now = before + change;
      if (now === 0) this.#connections.delete(device);
      else this.#connections.set(device, now);
      // One that came and went again within a report was there.
      if (before > 0 !== now > 0 || change === 0)
        turned.push({ deviceId: device, connected: now > 0, atMs, reason: now > 0 ? undefined : reason });
    }
    if (turned.length > 0) await this.#record(turned);
  }
}
