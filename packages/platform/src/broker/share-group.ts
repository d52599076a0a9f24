import type { PeerId } from '../bus/bus.ts';
import { hashText } from './share-hash.ts';
import { ShareRing, type SharedStrategy, type ShareMember, type ShareMessage } from './share-ring.ts';
import { ShareThreads, shareWeight } from './share-threads.ts';

export type { SharedStrategy } from './share-ring.ts';

/**
 * Chooses, for each message to a shared group (`$share/{group}/{filter}`), the one member that gets it (5.0, section 4.8.2).
 *
 * The thread that publishes picks a thread, by the weights that all announce; a thread that was picked, perhaps itself, picks one of
 * its members. Those whose clients are there come first; sessions that wait for their clients get messages only while no client is
 * there in any thread. A member that cannot take a message is passed over while another can.
 * - `round-robin`: all members of all threads equally often, in turn.
 * - `least-in-flight`: threads as before; in a thread whoever has least to do.
 * - `sticky`: the lowest thread, and in it one member, for as long as it is there.
 * - `hash-topic`, `hash-client`: the same member for the same topic or publisher, from whichever thread, while members stay.
 *
 * A pick allocates nothing.
 */
export class ShareGroup<M extends ShareMember> {
  readonly #self: PeerId;
  readonly #strategy: SharedStrategy;
  readonly #online: ShareRing<M>;
  readonly #away: ShareRing<M>;
  readonly #threads: ShareThreads;

  constructor(options: { readonly self: PeerId; readonly strategy: SharedStrategy }) {
    this.#self = options.self;
    this.#strategy = options.strategy;
    this.#online = new ShareRing(options.strategy);
    this.#away = new ShareRing(options.strategy);
    this.#threads = new ShareThreads(options.strategy);
  }

  /** True where no thread has members. */
  get isEmpty(): boolean {
    return this.#threads.size === 0;
  }

  /** Whether another thread has members. */
  get hasPeers(): boolean {
    return this.#threads.size > (this.weight > 0 ? 1 : 0);
  }

  /** What the other threads are to know of the members here: for their `setPeer`. 0: there are none. */
  get weight(): number {
    return shareWeight(this.#online.size, this.#away.size);
  }

  /** Adds a member, or tells that its client has come or gone. O(1). */
  set(member: M, online: boolean): void {
    (online ? this.#away : this.#online).remove(member);
    (online ? this.#online : this.#away).add(member);
    this.#threads.set(this.#self, this.weight);
  }

  remove(member: M): void {
    this.#online.remove(member);
    this.#away.remove(member);
    this.#threads.set(this.#self, this.weight);
  }

  setPeer(peer: PeerId, weight: number): void {
    this.#threads.set(peer, weight);
  }

  /** Whether the client of any other member is there. */
  hasOnlineBesides(member: M): boolean {
    return this.#online.size > (this.#online.has(member) ? 1 : 0) || this.#threads.hasOnlineBesides(this.#self);
  }

  /**
   * The member here or the other thread that is to get a message; undefined where there is none, or none that can take it.
   * @param except a member or a thread that is not to get it, as it failed to take it or left it unacknowledged.
   */
  pick(message: ShareMessage, except?: M | PeerId): M | PeerId | undefined {
    const hash = this.#hashOf(message);
    const exceptThread = typeof except === 'number' ? except : undefined;
    const thread = this.#threads.choose(hash, exceptThread, undefined);
    if (thread !== this.#self) return thread;
    return this.#pickHere(message, hash, except) ?? this.#threads.choose(hash, exceptThread, this.#self);
  }

  /** Another thread that may have a member for a message, where these have none. */
  threadBesides(tried: ReadonlySet<PeerId>): PeerId | undefined {
    return this.#threads.chooseBesides(new Set([...tried, this.#self]));
  }

  /** The member here that is to get a message for which another thread has picked this one. */
  pickHere(message: ShareMessage, except?: M): M | undefined {
    return this.#pickHere(message, this.#hashOf(message), except);
  }

  /** The same, of those only whose clients are there. */
  pickAwake(message: ShareMessage, except: M): M | undefined {
    return this.#online.pick(message, this.#hashOf(message), except);
  }

  #pickHere(message: ShareMessage, hash: number, except: unknown): M | undefined {
    return (this.#online.size > 0 ? this.#online : this.#away).pick(message, hash, except);
  }

  #hashOf(message: ShareMessage): number {
    if (this.#strategy === 'hash-topic') return hashText(message.topic.name);
    return this.#strategy === 'hash-client' ? hashText(message.origin ?? '') : 0;
  }
}
