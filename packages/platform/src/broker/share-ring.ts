import { jump } from './share-hash.ts';

/** Which member of a shared group gets a message. */
export type SharedStrategy = 'round-robin' | 'sticky' | 'least-in-flight' | 'hash-topic' | 'hash-client';

/** What the choice of a member depends on; a session is one. */
export interface ShareMember {
  /** Messages that wait for it, or for its acknowledgement. */
  readonly load: number;
  mayReceive(topic: string): boolean;
  hasRoom(sizeBytes: number): boolean;
}

/** What the choice depends on of a message; a Message is one. */
export interface ShareMessage {
  readonly topic: { readonly name: string };
  /** Key of the session that published it. */
  readonly origin: string | undefined;
  readonly sizeBytes: number;
}

/**
 * Members of a shared group, in one thread, that take turns.
 *
 * ```
 *   members   a  b  c │ d  e  f        had their turn in this round │ have not
 *                     turn
 * ```
 * Invariants: each member stands once in `members`, at its `place`. Who joins has had its turn, and who leaves takes nobody's:
 * however often others come and go, each member gets its turn in each round. Without turns (sticky, hashes) `turn` stays 0, the first
 * stays the first, and one that leaves changes the place of no other but the last.
 */
export class ShareRing<M extends ShareMember> {
  readonly #strategy: SharedStrategy;
  readonly #members: M[] = [];
  readonly #places = new Map<M, number>();
  #turn = 0;

  constructor(strategy: SharedStrategy) {
    this.#strategy = strategy;
  }

  get size(): number {
    return this.#members.length;
  }

  has(member: M): boolean {
    return this.#places.has(member);
  }

  add(member: M): void {
    if (this.#places.has(member)) return;
    this.#put(member, this.#members.length);
    if (this.#strategy === 'round-robin' || this.#strategy === 'least-in-flight') {
      this.#put(this.#at(this.#turn), this.#members.length - 1);
      this.#put(member, this.#turn++);
    }
  }

  remove(member: M): void {
    const place = this.#places.get(member);
    if (place === undefined) return;
    let gap = place;
    if (gap < this.#turn) {
      this.#turn--;
      this.#put(this.#at(this.#turn), gap);
      gap = this.#turn;
    }
    const last = this.#members.pop() as M; // at least this member was there
    if (gap < this.#members.length) this.#put(last, gap);
    this.#places.delete(member);
  }

  /**
   * One that can take the message; undefined where there is none among the 256 that are looked at: the next pick looks at others
   * where members take turns. O(1) while most have room; O(log n) by hash; the least loaded of 256.
   * @param hash what the choice by hash goes by
   */
  pick(message: ShareMessage, hash: number, except: unknown): M | undefined {
    const count = this.#members.length;
    if (count === 0) return undefined;
    switch (this.#strategy) {
      case 'round-robin':
        return this.#next(message, except);
      case 'least-in-flight':
        return this.#leastLoaded(message, except);
      case 'sticky':
        return this.#from(0, message, except);
      case 'hash-topic':
      case 'hash-client':
        return this.#from(jump(hash, count), message, except);
    }
  }

  #next(message: ShareMessage, except: unknown): M | undefined {
    const count = this.#members.length;
    for (let looks = Math.min(count, MAX_LOOKS); looks > 0; looks--) {
      if (this.#turn >= count) this.#turn = 0;
      const member = this.#at(this.#turn++);
      if (member !== except && canTake(member, message)) return member;
    }
    return undefined;
  }

  #leastLoaded(message: ShareMessage, except: unknown): M | undefined {
    const count = this.#members.length;
    let least: M | undefined;
    let leastLoad = Infinity;
    let place = this.#turn;
    let after = this.#turn;
    for (let looks = Math.min(count, MAX_LOOKS); looks > 0 && leastLoad > 0; looks--) {
      if (place >= count) place = 0;
      const member = this.#at(place++);
      const { load } = member;
      if (load >= leastLoad || member === except || !canTake(member, message)) continue;
      least = member;
      leastLoad = load;
      after = place;
    }
    this.#turn = least === undefined ? place : after;
    return least;
  }

  #from(first: number, message: ShareMessage, except: unknown): M | undefined {
    const count = this.#members.length;
    let place = first;
    for (let looks = Math.min(count, MAX_LOOKS); looks > 0; looks--) {
      if (place >= count) place = 0;
      const member = this.#at(place++);
      if (member !== except && canTake(member, message)) return member;
    }
    return undefined;
  }

  #at(place: number): M {
    return this.#members[place] as M; // callers stay within
  }

  #put(member: M, place: number): void {
    this.#members[place] = member;
    this.#places.set(member, place);
  }
}

/** What a pick may cost where next to nobody has room. */
const MAX_LOOKS = 256;

function canTake(member: ShareMember, message: ShareMessage): boolean {
  return member.hasRoom(message.sizeBytes) && member.mayReceive(message.topic.name);
}
