import type { CloseReason } from '../broker/close-reasons.ts';
import type { PresenceListener } from '../broker/client-watch.ts';
import type { Clock } from '../kernel/clock.ts';
import { type DeviceId, isDeviceId } from '../kernel/device-id.ts';
import type { ThreadCaller } from '../kernel/thread-channel.ts';
import type { ControlCalls, GoneReason, PresenceChange } from './control-desk.ts';
import { StatusTopics } from './status-topics.ts';

const GATHER_MS = 250;
/** In one message to main. */
const MAX_AT_ONCE = 10_000;

/** Tells main, a few times a second, which devices came and went in this thread. What main could not take is told again. */
export class PresenceReports implements PresenceListener {
  readonly #control: Pick<ThreadCaller<ControlCalls>, 'call'>;
  /** Connections of a device, more or fewer than main knows of. Devices that came and went in between cancel out. */
  readonly #changes = new Map<DeviceId, { change: number; atMs: number; reason: GoneReason | undefined }>();
  /** What clients say of devices that are behind them. */
  readonly statuses: StatusTopics;
  #scheduled = false;

  constructor(control: Pick<ThreadCaller<ControlCalls>, 'call'>, clock: Clock) {
    this.#control = control;
    this.statuses = new StatusTopics((device, change, reason) => this.#changed(device, change, clock.now(), reason));
  }

  presenceChanged(principalId: string, change: 1 | -1, atMs: number, reason?: CloseReason): void {
    if (isDeviceId(principalId)) this.#changed(principalId, change, atMs, reason);
  }

  connectionEnded(client: string): void {
    this.statuses.left(client);
  }

  #changed(device: DeviceId, change: 1 | -1, atMs: number, reason: GoneReason | undefined): void {
    this.#add({ device, change, atMs, ...(reason !== undefined && { reason }) });
    this.#schedule();
  }

  #add({ device, change, atMs, reason }: PresenceChange): void {
    const known = this.#changes.get(device);
    if (known === undefined) {
      this.#changes.set(device, { change, atMs, reason });
      return;
    }
    known.change += change;
    if (atMs >= known.atMs) known.reason = reason ?? known.reason;
    known.atMs = Math.max(known.atMs, atMs);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setTimeout(() => void this.#tell(), GATHER_MS).unref();
  }

  async #tell(): Promise<void> {
    const told: PresenceChange[] = [];
    for (const [device, { change, atMs, reason }] of this.#changes) {
      if (told.length >= MAX_AT_ONCE) break;
      this.#changes.delete(device);
      told.push({ device, change, atMs, ...(reason !== undefined && { reason }) });
    }
    try {
      await this.#control.call('presence', told);
    } catch {
      // Main has written why; it is told again.
      for (const change of told) this.#add(change);
    }
    this.#scheduled = false;
    if (this.#changes.size > 0) this.#schedule();
  }
}
