export type AlertKind = 'offline' | 'flapping';

/** Something to be told of a device. */
export type PresenceNews =
  | {
      readonly news: 'raised';
      readonly kind: AlertKind;
      readonly device: string;
      /** When it went, of `flapping` the last time: wall time, ms. */
      readonly sinceMs: number;
      readonly reason: string | undefined;
      /** How often it went within the window. */
      readonly losses: number;
    }
  | { readonly news: 'resolved'; readonly kind: AlertKind; readonly device: string };

export interface LossWatchOptions {
  /** How long a device may be gone before it is told of. */
  readonly offlineAfterMs: number;
  /** A device that goes so often within so long is told of once, as flapping, and not each time. */
  readonly flapping: { readonly losses: number; readonly windowMs: number };
}

interface Watched {
  goneAtMs: number | undefined;
  /** Of the last loss, wall time. */
  sinceMs: number;
  reason: string | undefined;
  losses: number;
  /** Of the window in which the losses are counted. */
  windowFromMs: number;
  lastLossMs: number;
  raised: AlertKind | undefined;
}

/**
 * Decides of whom it is to be told that they are gone. Pure: times come in, news go out. Its times never go back, as those of a
 * monotonic clock do not; when something was by the wall clock is only told.
 *
 * ```
 *   gone for offlineAfterMs ──▶ offline ──▶ back: resolved
 *   goes often              ──▶ flapping ──▶ no loss for a window: resolved; gone for offlineAfterMs: offline instead
 * ```
 * Invariant: of a device at most one alert is open.
 */
export class LossWatch {
  readonly #options: LossWatchOptions;
  readonly #devices = new Map<string, Watched>();
  /** Devices that are gone and not told of, those that went first at the front. */
  readonly #pending = new Set<string>();

  constructor(options: LossWatchOptions) {
    this.#options = options;
  }

  /** Devices of which something is known: gone, told of, or lost within the window. */
  get size(): number {
    return this.#devices.size;
  }

  /** An alert that was raised before the server started. */
  restore(device: string, kind: AlertKind, atMs: number): void {
    this.#watched(device, atMs).raised = kind;
  }

  /** @param sinceMs the same moment by the wall clock. */
  gone(device: string, atMs: number, reason: string | undefined, sinceMs = atMs): readonly PresenceNews[] {
    const { losses, windowMs } = this.#options.flapping;
    const watched = this.#watched(device, atMs);
    if (atMs - watched.windowFromMs >= windowMs) {
      watched.windowFromMs = atMs;
      watched.losses = 0;
    }
    watched.losses++;
    watched.lastLossMs = watched.goneAtMs = atMs;
    watched.sinceMs = sinceMs;
    watched.reason = reason;
    this.#pending.delete(device);
    // One that was told of as gone, and has not been seen since, is the same loss.
    if (watched.raised !== 'offline') this.#pending.add(device);
    if (watched.losses < losses || watched.raised !== undefined) return [];
    return [this.#raise(device, watched, 'flapping')];
  }

  back(device: string): readonly PresenceNews[] {
    const watched = this.#devices.get(device);
    if (watched === undefined) return [];
    watched.goneAtMs = undefined;
    this.#pending.delete(device);
    if (watched.raised !== 'offline') return [];
    watched.raised = undefined;
    return [{ news: 'resolved', kind: 'offline', device }];
  }

  /** Devices of which an alert is open. O(devices). */
  raised(): readonly string[] {
    const raised: string[] = [];
    for (const [device, watched] of this.#devices) if (watched.raised !== undefined) raised.push(device);
    return raised;
  }

  /** Nothing is told of it any more. */
  forget(device: string): void {
    this.#devices.delete(device);
    this.#pending.delete(device);
  }

  /** What the time has brought. At most `limit` devices are told of at once. O(what is due, and what is forgotten). */
  due(nowMs: number, limit: number): readonly PresenceNews[] {
    const { offlineAfterMs } = this.#options;
    const news: PresenceNews[] = [];
    for (const device of this.#pending) {
      const watched = this.#devices.get(device);
      if (news.length >= limit || watched?.goneAtMs === undefined || nowMs - watched.goneAtMs < offlineAfterMs) break;
      this.#pending.delete(device);
      if (watched.raised === 'flapping') news.push({ news: 'resolved', kind: 'flapping', device });
      news.push(this.#raise(device, watched, 'offline'));
    }
    return news;
  }

  /** Resolves what has been quiet, and forgets whom there is nothing to be told of. O(devices): called now and then. */
  sweep(nowMs: number): readonly PresenceNews[] {
    const { windowMs } = this.#options.flapping;
    const news: PresenceNews[] = [];
    for (const [device, watched] of this.#devices) {
      if (watched.goneAtMs !== undefined || nowMs - watched.lastLossMs < windowMs) continue;
      if (watched.raised === 'flapping') {
        watched.raised = undefined;
        news.push({ news: 'resolved', kind: 'flapping', device });
      }
      if (watched.raised === undefined) this.#devices.delete(device);
    }
    return news;
  }

  #watched(device: string, atMs: number): Watched {
    let watched = this.#devices.get(device);
    if (watched === undefined) {
      const [goneAtMs, reason, raised] = [undefined, undefined, undefined];
      watched = { goneAtMs, sinceMs: atMs, reason, losses: 0, windowFromMs: atMs, lastLossMs: atMs, raised };
      this.#devices.set(device, watched);
    }
    return watched;
  }

  #raise(device: string, watched: Watched, kind: AlertKind): PresenceNews {
    watched.raised = kind;
    const { reason, losses, sinceMs } = watched;
    return { news: 'raised', kind, device, sinceMs, reason, losses };
  }
}
