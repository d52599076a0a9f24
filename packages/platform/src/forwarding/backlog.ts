import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Log, Offset, PartitionId } from '../log/log.ts';
import type { ForwarderEvent } from './forwarder.ts';
import type { Place } from './place-store.ts';

/** How much the log keeps for forwarders at most, of each partition: see the settings `forwarding.*`. */
export interface BacklogBounds {
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

const LOOK_MS = 10_000;
/** From here on it is announced that records will be skipped; it is over below the second one. */
const WARN_AT = 0.8;
const CALM_AT = 0.6;

/** How much lies before each forwarder, and whether it comes near to what the log keeps. */
export class Backlog {
  readonly #log: Log;
  readonly #bounds: BacklogBounds;
  readonly #clock: Clock;
  readonly #logLines: LogLines;
  readonly #publish: (event: ForwarderEvent) => void;
  readonly #lookedMs = new Map<string, number>();
  readonly #warned = new Set<string>();

  constructor(options: {
    readonly log: Log;
    readonly bounds: BacklogBounds;
    readonly clock: Clock;
    readonly logLines: LogLines;
    readonly publish: (event: ForwarderEvent) => void;
  }) {
    this.#log = options.log;
    this.#bounds = options.bounds;
    this.#clock = options.clock;
    this.#logLines = options.logLines;
    this.#publish = options.publish;
  }

  /** @param sendingSince when the oldest record that is being sent of a partition arrived */
  async of(
    places: ReadonlyMap<number, Place>,
    sendingSince: (partition: number) => number | undefined,
  ): Promise<{ readonly bytes: number; readonly seconds: number }> {
    let bytes = 0;
    let oldestMs = Infinity;
    for (const [partition, { position }] of places) {
      // A partition of a log that was opened with more threads before.
      if (!this.#log.partitions.includes(partition as PartitionId)) continue;
      bytes += await this.#log.bytesFrom(partition as PartitionId, position as Offset);
      oldestMs = Math.min(oldestMs, sendingSince(partition) ?? (await this.#arrivalAt(partition as PartitionId, position)));
    }
    return { bytes, seconds: oldestMs === Infinity ? 0 : Math.max(0, this.#clock.now() - oldestMs) / 1000 };
  }

  /** Warns of a forwarder that will lose records if it goes on so. Looks now and then, however often it is called. */
  look(id: string, places: ReadonlyMap<number, Place>): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - (this.#lookedMs.get(id) ?? -Infinity) < LOOK_MS) return;
    this.#lookedMs.set(id, nowMs);
    this.#warn(id, places).catch((error: unknown) => {
      this.#logLines.warn({ err: error, forwarder: id }, 'The backlog of a forwarder could not be measured');
    });
  }

  async #warn(id: string, places: ReadonlyMap<number, Place>): Promise<void> {
    let share = 0;
    for (const [partition, place] of places) {
      const { bytes, seconds } = await this.of(new Map([[partition, place]]), () => undefined);
      share = Math.max(share, bytes / this.#bounds.maxBytes, (seconds * 1000) / this.#bounds.maxAgeMs);
    }
    if (share < CALM_AT) this.#warned.delete(id);
    if (share < WARN_AT || this.#warned.has(id)) return;
    this.#warned.add(id);
    const message = `the backlog is at ${Math.round(share * 100)} % of what the log keeps: what is older will not be sent`;
    this.#logLines.warn(
      { forwarder: id, percent: Math.round(share * 100) },
      'The backlog of a forwarder comes near to its bounds',
    );
    this.#publish({ event: 'backlog', forwarder: id, atMs: this.#clock.now(), message });
  }

  /** When the record at a place arrived; Infinity where there is none yet. */
  async #arrivalAt(partition: PartitionId, position: number): Promise<number> {
    await using reader = await this.#log.openReader(partition, position as Offset);
    return reader.read()?.arrivalMs ?? Infinity;
  }
}
