import type { CloseReason } from '../broker/close-reasons.ts';
import type { PresenceListener } from '../broker/client-watch.ts';
import type { Clock } from '../kernel/clock.ts';
import { type DeviceId, isDeviceId } from '../kernel/device-id.ts';
import type { ThreadCaller } from '../kernel/thread-channel.ts';
import type { ControlCalls, GoneReason, PresenceChange, PresenceReport } from './control-desk.ts';
import { SparkplugPresence } from './sparkplug-presence.ts';
import { type OnPresence, StatusTopics } from './status-topics.ts';

const GATHER_MS = 250;
/** In one message to main. */
const MAX_AT_ONCE = 10_000;

/**
 * Tells main, a few times a second, which devices came and went in this thread. A report that main could not take is brought again as it
 * is, before all others: main may have counted it.
 */
export class PresenceReports implements PresenceListener {
  readonly #control: Pick<ThreadCaller<ControlCalls>, 'call'>;
  /** Connections of a device, more or fewer than main knows of. Devices that came and went in between cancel out. */
  readonly #changes = new Map<DeviceId, { change: number; atMs: number; reason: GoneReason | undefined }>();
  /** What clients say of devices that are behind them. */
  readonly statuses: StatusTopics;
  /** And edge nodes of Sparkplug. */
  readonly sparkplug: SparkplugPresence;
  /** Was not taken yet. */
  #report: PresenceReport | undefined;
  #lastNumber = 0;
  #scheduled = false;

  constructor(control: Pick<ThreadCaller<ControlCalls>, 'call'>, clock: Clock) {
    this.#control = control;
    const onPresence: OnPresence = (device, change, reason) => this.#changed(device, change, clock.now(), reason);
    this.statuses = new StatusTopics(onPresence);
    this.sparkplug = new SparkplugPresence(onPresence);
  }

  presenceChanged(principalId: string, change: 1 | -1, atMs: number, reason?: CloseReason): void {
    if (isDeviceId(principalId)) this.#changed(principalId, change, atMs, reason);
  }

  connectionEnded(client: string): void {
    this.statuses.left(client);
    this.sparkplug.left(client);
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
    // They come in their order, whatever the clock says.
    known.change += change;
    known.reason = reason ?? known.reason;
    known.atMs = atMs;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setTimeout(() => void this.#tell(), GATHER_MS).unref();
  }

  async #tell(): Promise<void> {
    this.#report ??= { number: ++this.#lastNumber, changes: this.#take() };
    try {
      await this.#control.call('presence', this.#report);
      this.#report = undefined;
    } catch {
      // Main has written why; it is told again.
    }
    this.#scheduled = false;
    if (this.#report !== undefined || this.#changes.size > 0) this.#schedule();
  }

  #take(): readonly PresenceChange[] {
    const taken: PresenceChange[] = [];
    for (const [device, { change, atMs, reason }] of this.#changes) {
      if (taken.length >= MAX_AT_ONCE) break;
      this.#changes.delete(device);
      taken.push({ device, change, atMs, ...(reason !== undefined && { reason }) });
    }
    return taken;
  }
}
