import type { DeviceId } from '../kernel/device-id.ts';
import type { ConnectivityChange } from '../registry/connectivity-store.ts';
import type { PresenceReport } from './control-desk.ts';

/** One transaction of so many keeps main busy for some 40 ms. */
const RECORDED_AT_ONCE = 2_000;

/**
 * Counts the connections of devices over all threads, and keeps whether there are any.
 *
 * Each report is counted once, however often it comes; what was not kept then is kept with the next one. Changes are kept in the order
 * in which they were counted. What is not kept is bounded: a thread sends no other report before its last one was taken.
 */
export class ConnectedDevices {
  readonly #record: (changes: readonly ConnectivityChange[]) => Promise<void>;
  readonly #connections = new Map<DeviceId, number>();
  /** The last report of each thread. */
  readonly #counted = new Map<number, number>();
  /** To be kept. */
  #turned: ConnectivityChange[] = [];
  #recording: Promise<void> = Promise.resolve();

  /** @param record keeps changes, in this order. */
  constructor(record: (changes: readonly ConnectivityChange[]) => Promise<void>) {
    this.#record = record;
  }

  /** Devices with a connection. */
  get size(): number {
    return this.#connections.size;
  }

  /**
   * What one thread reports. Where a device moves from one thread to another, its leaving may be heard of after its coming.
   * @returns once it is kept. Where that fails, the thread brings the same report again.
   */
  async apply(thread: number, { number, changes }: PresenceReport): Promise<void> {
    if (this.#counted.get(thread) !== number) this.#count(changes);
    this.#counted.set(thread, number);
    const recorded = this.#recording.catch(() => {}).then(async () => await this.#recordTurned());
    this.#recording = recorded;
    await recorded;
  }

  /** These devices were not known, and are now: that they are connected could not be kept before. */
  async registered(devices: Iterable<DeviceId>, atMs: number): Promise<void> {
    for (const device of devices) {
      if ((this.#connections.get(device) ?? 0) > 0)
        this.#turned.push({ deviceId: device, connected: true, atMs, reason: undefined });
    }
    const recorded = this.#recording.catch(() => {}).then(async () => await this.#recordTurned());
    this.#recording = recorded;
    await recorded;
  }

  #count(changes: PresenceReport['changes']): void {
    for (const { device, change, atMs, reason } of changes) {
      const before = this.#connections.get(device) ?? 0;
      const now = before + change;
      if (now === 0) this.#connections.delete(device);
      else this.#connections.set(device, now);
      // One that came and went again within a report was there.
      if (before > 0 !== now > 0 || change === 0)
        this.#turned.push({ deviceId: device, connected: now > 0, atMs, reason: now > 0 ? undefined : reason });
    }
  }

  async #recordTurned(): Promise<void> {
    while (this.#turned.length > 0) {
      const some = this.#turned.slice(0, RECORDED_AT_ONCE);
      await this.#record(some);
      this.#turned = this.#turned.slice(some.length);
      // The statements of one transaction after another would keep main from everything else.
      if (this.#turned.length > 0) await new Promise((resolve) => void setImmediate(resolve));
    }
  }
}
