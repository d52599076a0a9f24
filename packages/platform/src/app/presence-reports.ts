import type { PresenceListener } from '../broker/client-watch.ts';
import { type DeviceId, isDeviceId } from '../kernel/device-id.ts';
import type { ThreadCaller } from '../kernel/thread-channel.ts';
import type { ControlCalls, PresenceChange } from './control-desk.ts';

const GATHER_MS = 250;
/** In one message to main. */
const MAX_AT_ONCE = 10_000;

/** Tells main, a few times a second, which devices came and went in this thread. What main could not take is told again. */
export class PresenceReports implements PresenceListener {
  readonly #control: Pick<ThreadCaller<ControlCalls>, 'call'>;
  /** Connections of a device, more or fewer than main knows of. Devices that came and went in between cancel out. */
  readonly #changes = new Map<DeviceId, { change: number; atMs: number }>();
  #scheduled = false;

  constructor(control: Pick<ThreadCaller<ControlCalls>, 'call'>) {
    this.#control = control;
  }

  presenceChanged(principalId: string, change: 1 | -1, atMs: number): void {
    if (!isDeviceId(principalId)) return;
    this.#add(principalId, change, atMs);
    this.#schedule();
  }

  #add(device: DeviceId, change: number, atMs: number): void {
    const known = this.#changes.get(device);
    if (known === undefined) this.#changes.set(device, { change, atMs });
    else {
      known.change += change;
      known.atMs = Math.max(known.atMs, atMs);
    }
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setTimeout(() => void this.#tell(), GATHER_MS).unref();
  }

  async #tell(): Promise<void> {
    const told: PresenceChange[] = [];
    for (const [device, { change, atMs }] of this.#changes) {
      if (told.length >= MAX_AT_ONCE) break;
      this.#changes.delete(device);
      told.push({ device, change, atMs });
    }
    try {
      await this.#control.call('presence', told);
    } catch {
      // Main has written why; it is told again.
      for (const { device, change, atMs } of told) this.#add(device, change, atMs);
    }
    this.#scheduled = false;
    if (this.#changes.size > 0) this.#schedule();
  }
}
