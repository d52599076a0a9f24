import type { LatestValue } from '../api/telemetry.ts';

export interface LiveUpdate {
  readonly device: string;
  readonly values: readonly LatestValue[];
}

type Listener = () => void;
type PointListener = (points: readonly LatestValue[]) => void;

/** Calls back once, at the next frame at which it is worth drawing. */
export type Schedule = (run: () => void) => void;

interface Watched {
  snapshot: readonly LatestValue[];
  readonly listeners: Set<Listener>;
  readonly pointListeners: Set<PointListener>;
  /** Newest of each metric since the last flush. */
  readonly pending: Map<string, LatestValue>;
  /** All points since the last flush, for charts. */
  readonly points: LatestValue[];
}

const NONE: readonly LatestValue[] = [];
const MAX_POINTS_A_FLUSH = 4096;

/**
 * Last values of the devices that something on the page looks at.
 *
 * Updates are only noted when they arrive; listeners hear of them together, once a frame, and only those of devices that changed.
 * Invariants: a device is held only while it has a listener; a snapshot is replaced, never changed; a metric's time never goes back.
 * Bound: one pending value a metric, 4,096 pending points a device (then the oldest are dropped: the next refetch has them).
 */
export class LiveValues {
  readonly #watched = new Map<string, Watched>();
  readonly #dirty = new Set<Watched>();
  readonly #schedule: Schedule;
  #scheduled = false;

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  snapshot(device: string): readonly LatestValue[] {
    return this.#watched.get(device)?.snapshot ?? NONE;
  }

  /** Hears of new values of one device; the returned function ends it. */
  subscribe(device: string, listener: Listener): () => void {
    const entry = this.#entry(device);
    entry.listeners.add(listener);
    return () => {
      entry.listeners.delete(listener);
      this.#release(device, entry);
    };
  }

  /** Hears of every point that comes for one device, in arrival order. */
  subscribePoints(device: string, listener: PointListener): () => void {
    const entry = this.#entry(device);
    entry.pointListeners.add(listener);
    return () => {
      entry.pointListeners.delete(listener);
      this.#release(device, entry);
    };
  }

  apply(updates: readonly LiveUpdate[]): void {
    for (const update of updates) {
      const entry = this.#watched.get(update.device);
      if (entry === undefined) continue;
      for (const value of update.values) {
        const known = entry.pending.get(value.metric);
        if (known === undefined || value.timeMs >= known.timeMs) entry.pending.set(value.metric, value);
      }
      if (entry.pointListeners.size > 0) {
        entry.points.push(...update.values);
        if (entry.points.length > MAX_POINTS_A_FLUSH) entry.points.splice(0, entry.points.length - MAX_POINTS_A_FLUSH);
      }
      this.#dirty.add(entry);
    }
    if (this.#dirty.size > 0 && !this.#scheduled) {
      this.#scheduled = true;
      this.#schedule(() => this.#flush());
    }
  }

  #flush(): void {
    this.#scheduled = false;
    const dirty = [...this.#dirty];
    this.#dirty.clear();
    for (const entry of dirty) {
      entry.snapshot = mergeLatest(entry.snapshot, [...entry.pending.values()]);
      entry.pending.clear();
      const points = entry.points.splice(0);
      for (const listener of entry.listeners) listener();
      if (points.length > 0) for (const listener of entry.pointListeners) listener(points);
    }
  }

  #entry(device: string): Watched {
    let entry = this.#watched.get(device);
    if (entry === undefined) {
      entry = { snapshot: NONE, listeners: new Set(), pointListeners: new Set(), pending: new Map(), points: [] };
      this.#watched.set(device, entry);
    }
    return entry;
  }

  #release(device: string, entry: Watched): void {
    if (entry.listeners.size + entry.pointListeners.size > 0) return;
    this.#dirty.delete(entry);
    if (this.#watched.get(device) === entry) this.#watched.delete(device);
  }
}

/** Both lists as one, by metric name; at the same metric the newer time wins, at the same time `fresh`. */
export function mergeLatest(base: readonly LatestValue[], fresh: readonly LatestValue[]): readonly LatestValue[] {
  if (fresh.length === 0) return base;
  if (base.length === 0 && fresh.length < 2) return fresh;
  const byMetric = new Map(base.map((value) => [value.metric, value]));
  let added = false;
  for (const value of fresh) {
    const known = byMetric.get(value.metric);
    added ||= known === undefined;
    if (known === undefined || value.timeMs >= known.timeMs) byMetric.set(value.metric, value);
  }
  const merged = [...byMetric.values()];
  return added ? merged.sort((a, b) => (a.metric < b.metric ? -1 : a.metric > b.metric ? 1 : 0)) : merged;
}
