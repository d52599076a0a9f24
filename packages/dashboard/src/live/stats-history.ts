import type { ServerStats } from '../api/stats.ts';

const KEPT = 180;
const SHORTEST_SPAN_MS = 60_000;
/** A smaller difference is the way through the network. */
const IN_STEP_MS = 250;

/** The server's rates of the last three minutes, newest last. A snapshot is replaced, never changed. */
export class StatsHistory {
  readonly #listeners = new Set<() => void>();
  #items: readonly ServerStats[] = [];
  #skewMs = 0;

  readonly items = (): readonly ServerStats[] => this.#items;
  readonly latest = (): ServerStats | undefined => this.#items.at(-1);

  /** The server's clock minus this machine's: ages are counted by the server's clock. */
  get skewMs(): number {
    return this.#skewMs;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  add(stats: ServerStats, nowMs: number): void {
    const skewMs = stats.atMs - nowMs;
    this.#skewMs = Math.abs(skewMs) < IN_STEP_MS ? 0 : skewMs;
    this.#items = [...this.#items.slice(-(KEPT - 1)), stats];
    for (const listener of this.#listeners) listener();
  }

  clear(): void {
    this.#items = [];
    for (const listener of this.#listeners) listener();
  }
}

/** How much time a line of these rates is drawn over: at least a minute, so that the first seconds are not stretched. */
export function historySpanMs(items: readonly ServerStats[]): number {
  return Math.max(SHORTEST_SPAN_MS, (items.at(-1)?.atMs ?? 0) - (items[0]?.atMs ?? 0));
}
