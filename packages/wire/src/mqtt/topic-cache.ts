import { malformed, MqttError } from './mqtt-error.ts';
import { copyBytes } from './packet-reader.ts';
import { ReasonCode } from './reason-codes.ts';
import { decodeUtf8 } from './utf8-string.ts';

/** A topic name that was checked once: the same object each time while it is in the cache. */
export class Topic {
  readonly name: string;
  readonly bytes: Uint8Array;

  constructor(name: string, bytes: Uint8Array) {
    this.name = name;
    this.bytes = bytes;
  }
}

/** The topic of a PUBLISH that has a topic alias instead. */
export const EMPTY_TOPIC: Topic = new Topic('', new Uint8Array(0));

/**
 * The topics last seen by the connections of a thread, found by their bytes without making a string.
 *
 * ```
 *   hash of the bytes -> set of 8 slots      slot: hash | Topic
 *                        [ s0 s1 … s7 ]      the next one to be replaced goes round in its set
 * ```
 * Invariants: a topic is in no set but that of its hash, and once at most; there are never more than `limit` topics, none longer than
 * {@link LONGEST_KEPT} bytes. A look-up reads one set, so that names chosen to collide cost no more than others: they push each other
 * out. A name that was pushed out becomes another object when it returns.
 */
export class TopicCache {
  readonly #sets: number;
  readonly #ways: number;
  readonly #hashes: Int32Array;
  readonly #topics: (Topic | undefined)[];
  readonly #turns: Uint8Array;

  /** @param limit how many topics are kept at most: more are decoded anew each time, nothing else changes. */
  constructor(limit: number) {
    this.#ways = Math.max(1, Math.min(8, limit));
    this.#sets = Math.max(1, Math.floor(limit / this.#ways));
    this.#hashes = new Int32Array(this.#sets * this.#ways);
    this.#topics = Array.from<Topic | undefined>({ length: this.#sets * this.#ways });
    this.#turns = new Uint8Array(this.#sets);
  }

  /**
   * The topic whose name is `buffer[start, end)`.
   * @throws MqttError 0x81 for bad UTF-8 or U+0000, 0x90 for an empty name or a wildcard.
   */
  intern(buffer: Uint8Array, start: number, end: number): Topic {
    const hash = hashOf(buffer, start, end);
    const set = (hash >>> 0) % this.#sets;
    const first = set * this.#ways;
    for (let slot = first; slot < first + this.#ways; slot++) {
      if (this.#hashes[slot] !== hash) continue;
      const topic = this.#topics[slot];
      if (topic !== undefined && isTopic(topic, buffer, start, end)) return topic;
    }
    const topic = readTopic(buffer, start, end);
    if (end - start <= LONGEST_KEPT) this.#keep(topic, hash, set);
    return topic;
  }

  #keep(topic: Topic, hash: number, set: number): void {
    const turn = this.#turns[set]!; // one for each set
    const slot = set * this.#ways + turn;
    this.#hashes[slot] = hash;
    this.#topics[slot] = topic;
    this.#turns[set] = (turn + 1) % this.#ways;
  }
}

/** Topics with longer names are not kept, so that a full cache has a bound in bytes as well. */
export const LONGEST_KEPT = 256;

/** Whether `buffer[start, end)` is the name of this topic. */
export function isTopic(topic: Topic, buffer: Uint8Array, start: number, end: number): boolean {
  const bytes = topic.bytes;
  if (bytes.length !== end - start) return false;
  // Names of one kind differ at their end.
  for (let i = bytes.length - 1; i >= 0; i--) {
    if (bytes[i] !== buffer[start + i]) return false;
  }
  return true;
}

function readTopic(buffer: Uint8Array, start: number, end: number): Topic {
  if (start === end) throw new MqttError(ReasonCode.topicNameInvalid, '[MQTT-4.7.3-1]', 'A topic name is empty');
  for (let i = start; i < end; i++) {
    const byte = buffer[i];
    if (byte === PLUS || byte === HASH) {
      throw new MqttError(ReasonCode.topicNameInvalid, '[MQTT-3.3.2-2]', 'A topic name has a wildcard');
    }
    if (byte === 0) throw malformed('[MQTT-4.7.3-2]', 'A topic name has a U+0000');
  }
  return new Topic(decodeUtf8(buffer, start, end), copyBytes(buffer, start, end));
}

/** FNV-1a. */
function hashOf(buffer: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ buffer[i]!, 0x01000193);
  return hash;
}

const HASH = 0x23;
const PLUS = 0x2b;
