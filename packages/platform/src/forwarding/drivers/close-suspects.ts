import type { OutgoingRecord } from '../delivery.ts';

/** Closed so often on a record alone, it is the record. */
export const CLOSES = 3;
/**
 * How long a connection must have been left in peace, and have stayed, before a record is sent on it that was closed on so often. Another
 * client of the same id that takes the session over does so again each time, at its own pace: it must not meet the same record three times.
 */
const QUIET_MS = [0, 300, 1_200] as const;
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
 * Invariants: what was acknowledged is no suspect; what is known as refused is none; who was not the only one in flight is not blamed.
 */
export class CloseSuspects {
  /** By partition and offset. */
  readonly #suspects = new Map<number, Map<number, OutgoingRecord>>();
  /** Of records that were alone in flight, how often. */
  readonly #closes = new Map<string, { readonly partition: number; readonly times: number }>();
  readonly #refused = new Set<string>();

  has({ partition, offset }: OutgoingRecord): boolean {
    return this.#suspects.get(partition)?.has(offset) === true;
  }

  /** The broker will close the connection for it again. */
  isRefused(record: OutgoingRecord): boolean {
    return this.#refused.size > 0 && this.#refused.has(keyOf(record));
  }

  /** So many suspects of a partition may be unacknowledged at a time. */
  windowOf(partition: number): number {
    return Math.max(1, Math.floor((this.#suspects.get(partition)?.size ?? 0) / NARROWING));
  }

  /** How long a connection must have stayed before any of these is sent. */
  quietMs(records: readonly OutgoingRecord[]): number {
    if (this.#closes.size === 0) return 0;
    const most = records.reduce((closes, record) => Math.max(closes, this.#closes.get(keyOf(record))?.times ?? 0), 0);
    return QUIET_MS[most] ?? 0;
  }

  acknowledged(record: OutgoingRecord): void {
    const { partition, offset } = record;
    const suspects = this.#suspects.get(partition);
    if (suspects?.delete(offset) !== true) return;
    if (suspects.size === 0) this.#suspects.delete(partition);
    this.#closes.delete(keyOf(record));
  }

  /**
   * The broker, or the way to it, has closed a connection.
   *
   * @param inFlight unacknowledged then, of all partitions
   * @param isProven whether the connection had answered a ping before
   * @returns whether this leads closer: it is worth to send them again at once
   */
  closed(inFlight: readonly OutgoingRecord[], isProven: boolean): boolean {
    const wereKnown = inFlight.length > 0 && inFlight.every((record) => this.has(record));
    // Those of the same delivery that were not sent yet had no part in it.
    for (const { partition } of inFlight) this.#suspects.delete(partition);
    for (const record of inFlight) this.#add(record);
    const inPlay = new Set(inFlight.map(keyOf));
    const touched = new Set(inFlight.map(({ partition }) => partition));
    for (const [key, { partition }] of this.#closes) if (touched.has(partition) && !inPlay.has(key)) this.#closes.delete(key);
    const [only] = inFlight;
    const isCloser = isProven && wereKnown;
    if (only === undefined || inFlight.length > 1 || !isProven) return isCloser;
    const key = keyOf(only);
    const times = (this.#closes.get(key)?.times ?? 0) + 1;
    this.#closes.set(key, { partition: only.partition, times });
    if (times < CLOSES) return isCloser;
    this.acknowledged(only);
    this.#refused.add(key);
    const [oldest] = this.#refused;
    if (oldest !== undefined && this.#refused.size > MAX_REMEMBERED) this.#refused.delete(oldest);
    return isCloser;
  }

  #add(record: OutgoingRecord): void {
    const { partition, offset } = record;
    const suspects = this.#suspects.get(partition);
    if (suspects === undefined) this.#suspects.set(partition, new Map([[offset, record]]));
    else suspects.set(offset, record);
  }
}

function keyOf({ partition, offset }: OutgoingRecord): string {
  return `${partition}-${offset}`;
}
