import type { OutgoingRecord } from '../delivery.ts';

/** Closed so often on a record alone, it is the record. */
export const CLOSES = 3;
/** How much closer each close leads: those that were unacknowledged are sent again in a window that is so much smaller. */
const NARROWING = 32;
const MAX_REMEMBERED = 1_000;

/**
 * Finds the record for which a broker closes the connection each time that it comes: one larger than it takes, or on a topic that it
 * allows nobody. MQTT 3.1.1 has no packet that says so: the server acknowledges a PUBLISH or closes the connection [MQTT-3.3.5-2], and
 * what size it takes is told since 5.0 only.
 *
 * Of what was unacknowledged at a close each record is a suspect. Suspects are sent again a few at a time and nothing else with them, until
 * one is alone at three closes of connections that had answered a ping before: a broker that goes down blames nobody.
 *
 * Invariants: what was acknowledged is no suspect; what is known as refused is none.
 */
export class CloseSuspects {
  readonly #suspects = new Map<string, OutgoingRecord>();
  readonly #closes = new Map<string, number>();
  readonly #refused = new Set<string>();

  has(record: OutgoingRecord): boolean {
    return this.#suspects.size > 0 && this.#suspects.has(keyOf(record));
  }

  /** The broker will close the connection for it again. */
  isRefused(record: OutgoingRecord): boolean {
    return this.#refused.size > 0 && this.#refused.has(keyOf(record));
  }

  /** So many suspects may be unacknowledged at a time. */
  get window(): number {
    return Math.max(1, Math.floor(this.#suspects.size / NARROWING));
  }

  acknowledged(record: OutgoingRecord): void {
    if (this.#suspects.size === 0) return;
    const key = keyOf(record);
    this.#suspects.delete(key);
    this.#closes.delete(key);
  }

  /**
   * The broker, or the way to it, has closed a connection.
   *
   * @param inFlight unacknowledged then
   * @param isProven whether the connection had answered a ping before
   * @returns whether this leads closer: it is worth to send them again at once
   */
  closed(inFlight: readonly OutgoingRecord[], isProven: boolean): boolean {
    const known = inFlight.filter((record) => this.has(record));
    const blamed = known.length > 0 ? known : inFlight;
    const partitions = new Set(blamed.map(({ partition }) => partition));
    // Those of the same delivery that were not sent yet had no part in it.
    for (const [key, { partition }] of this.#suspects) if (partitions.has(partition)) this.#suspects.delete(key);
    for (const record of blamed) this.#suspects.set(keyOf(record), record);
    for (const key of this.#closes.keys()) if (!this.#suspects.has(key)) this.#closes.delete(key);
    const [only] = blamed;
    const isCloser = isProven && known.length > 0;
    if (only === undefined || blamed.length > 1 || !isProven) return isCloser;
    const key = keyOf(only);
    const closes = (this.#closes.get(key) ?? 0) + 1;
    this.#closes.set(key, closes);
    if (closes < CLOSES) return isCloser;
    this.acknowledged(only);
    this.#refused.add(key);
    const [oldest] = this.#refused;
    if (oldest !== undefined && this.#refused.size > MAX_REMEMBERED) this.#refused.delete(oldest);
    return isCloser;
  }
}

function keyOf({ partition, offset }: OutgoingRecord): string {
  return `${partition}-${offset}`;
}
