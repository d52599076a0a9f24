import type { EventReport, WatchOrder } from './event-watch.ts';
import type { StateEvent } from './state-events.ts';

/** What is seen of a watch: events of its devices in their order; so many were lost before them. */
export type OnStateEvents = (events: readonly StateEvent[], lost: number) => void;

/** Events of shadows, commands and jobs as they become durable. */
export interface StateFeed {
  /** @returns a function that ends the watch. */
  watch(devices: ReadonlySet<string> | 'all', onEvents: OnStateEvents): () => void;
}

/** Who watches which devices, and what the other end was told of it. Gathers the watches of a thread into one; see event-watch.ts. */
export class EventFeed implements StateFeed {
  readonly #order: (order: WatchOrder) => void;
  readonly #watchingAll = new Set<{ readonly onEvents: OnStateEvents }>();
  readonly #byDevice = new Map<string, Set<{ readonly onEvents: OnStateEvents }>>();

  constructor(order: (order: WatchOrder) => void) {
    this.#order = order;
  }

  watch(devices: ReadonlySet<string> | 'all', onEvents: OnStateEvents): () => void {
    const watcher = { onEvents };
    const added = devices === 'all' ? this.#addToAll(watcher) : this.#add(devices, watcher);
    this.#tell(added, []);
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      this.#watchingAll.delete(watcher);
      this.#tell([], devices === 'all' ? [] : this.#remove(devices, watcher));
    };
  }

  /** What the other end reports. */
  take({ events, lost }: EventReport): void {
    for (const { onEvents } of this.#watchingAll) onEvents(events, lost);
    const named = new Map<OnStateEvents, StateEvent[]>();
    if (lost > 0) {
      for (const watchers of this.#byDevice.values()) for (const { onEvents } of watchers) named.set(onEvents, []);
    }
    for (const event of events) {
      for (const { onEvents } of this.#byDevice.get(event.device) ?? []) {
        const known = named.get(onEvents);
        if (known === undefined) named.set(onEvents, [event]);
        else known.push(event);
      }
    }
    for (const [onEvents, seen] of named) onEvents(seen, lost);
    if (events.length > 0) this.#order({ kind: 'taken', count: events.length });
  }

  #addToAll(watcher: { readonly onEvents: OnStateEvents }): readonly string[] {
    this.#watchingAll.add(watcher);
    return [];
  }

  /** @returns those that nobody has watched. */
  #add(devices: Iterable<string>, watcher: { readonly onEvents: OnStateEvents }): readonly string[] {
    const added: string[] = [];
    for (const device of devices) {
      const watchers = this.#byDevice.get(device);
      if (watchers !== undefined) watchers.add(watcher);
      else {
        this.#byDevice.set(device, new Set([watcher]));
        added.push(device);
      }
    }
    return added;
  }

  /** @returns those that nobody watches any more. */
  #remove(devices: Iterable<string>, watcher: { readonly onEvents: OnStateEvents }): readonly string[] {
    const removed: string[] = [];
    for (const device of devices) {
      const watchers = this.#byDevice.get(device);
      if (watchers?.delete(watcher) !== true || watchers.size > 0) continue;
      this.#byDevice.delete(device);
      removed.push(device);
    }
    return removed;
  }

  #tell(added: readonly string[], removed: readonly string[]): void {
    this.#order({ kind: 'watch', all: this.#watchingAll.size > 0, added, removed });
  }
}
