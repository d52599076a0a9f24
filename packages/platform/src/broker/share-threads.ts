import type { PeerId } from '../bus/bus.ts';
import { fraction, mix } from './share-hash.ts';
import type { SharedStrategy } from './share-ring.ts';

/** Of members that are all away. Less than 1 for as many as 16 million: one that is there counts for more than all of these. */
const AWAY = 2 ** -24;

/** What a thread announces of a group: the number of its members that are there, or if none is a small fraction for those away. */
export function shareWeight(online: number, away: number): number {
  return online > 0 ? online : away * AWAY;
}

/**
 * The threads that have members of one shared group, this one among them, with their weights.
 *
 * Those whose members are all away are chosen only where that is so of all. Invariant: the arrays are in the order of the ids, which
 * is the same everywhere; no weight is 0.
 */
export class ShareThreads {
  readonly #strategy: SharedStrategy;
  readonly #ids: PeerId[] = [];
  readonly #weights: number[] = [];
  /** What each has still to get, in messages; who joins has nothing to get. */
  readonly #credits: number[] = [];

  constructor(strategy: SharedStrategy) {
    this.#strategy = strategy;
  }

  get size(): number {
    return this.#ids.length;
  }

  /** Whether a thread besides this one has members that are there. */
  hasOnlineBesides(id: PeerId): boolean {
    return this.#ids.some((other, i) => other !== id && this.#weights[i]! >= 1);
  }

  /** @param weight as by {@link shareWeight}; 0: no more members. */
  set(id: PeerId, weight: number): void {
    const ids = this.#ids;
    let place = 0;
    while (place < ids.length && ids[place]! < id) place++;
    const known = ids[place] === id;
    if (weight > 0 && known) this.#weights[place] = weight;
    else if (weight > 0) {
      ids.splice(place, 0, id);
      this.#weights.splice(place, 0, weight);
      this.#credits.splice(place, 0, 0);
    } else if (known) {
      ids.splice(place, 1);
      this.#weights.splice(place, 1);
      this.#credits.splice(place, 1);
    }
  }

  /**
   * The thread whose members are to get a message, other than these two. O(threads).
   *
   * In turns: smooth, each as often as it has members, however they lie. By hash: each for its share of the hashes, and only those
   * move that must when a weight changes. Sticky: the first.
   */
  choose(hash: number, except: PeerId | undefined, exceptToo: PeerId | undefined): PeerId | undefined {
    const awake = this.#weights.some(isAwake);
    if (this.#strategy === 'round-robin' || this.#strategy === 'least-in-flight') return this.#inTurn(awake, except, exceptToo);
    let best: PeerId | undefined;
    let bestScore = Infinity;
    for (let i = 0; i < this.#ids.length; i++) {
      const id = this.#ids[i]!;
      if ((awake && this.#weights[i]! < 1) || id === except || id === exceptToo) continue;
      if (this.#strategy === 'sticky') return id;
      // Weighted rendezvous hashing (Schindelhauer and Schomaker, 2005).
      const score = -Math.log(fraction(mix(hash ^ mix(id + 1)))) / this.#weights[i]!;
      if (score >= bestScore) continue;
      best = id;
      bestScore = score;
    }
    return best;
  }

  /** Any thread of those that could be chosen now, other than these. O(threads). */
  chooseBesides(except: ReadonlySet<PeerId>): PeerId | undefined {
    const awake = this.#weights.some(isAwake);
    return this.#ids.find((id, i) => !except.has(id) && !(awake && this.#weights[i]! < 1));
  }

  /**
   * Each gets its share of a turn, and who has most takes a whole one. In shares, not weights, so that what is due never comes to
   * many turns, however weights change.
   */
  #inTurn(awake: boolean, except: PeerId | undefined, exceptToo: PeerId | undefined): PeerId | undefined {
    let total = 0;
    for (let i = 0; i < this.#ids.length; i++) if (this.#takesPart(i, awake, except, exceptToo)) total += this.#weights[i]!;
    let best = -1;
    for (let i = 0; i < this.#ids.length; i++) {
      if (!this.#takesPart(i, awake, except, exceptToo)) continue;
      this.#credits[i]! += this.#weights[i]! / total;
      if (best < 0 || this.#credits[i]! > this.#credits[best]!) best = i;
    }
    if (best < 0) return undefined;
    this.#credits[best]! -= 1;
    return this.#ids[best];
  }

  #takesPart(i: number, awake: boolean, except: PeerId | undefined, exceptToo: PeerId | undefined): boolean {
    const id = this.#ids[i];
    return !(awake && this.#weights[i]! < 1) && id !== except && id !== exceptToo;
  }
}

function isAwake(weight: number): boolean {
  return weight >= 1;
}
