import { TopicCache } from '@selsyn/wire/mqtt/topic-cache.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { ThrottledLines } from '../kernel/throttled-lines.ts';
import type { SessionStore } from '../session-store/session-store.ts';
import { AckRing } from './ack-ring.ts';
import type { AudienceListener } from './audience.ts';
import { BufferPool } from './buffer-pool.ts';
import type { BusLink } from './bus-link.ts';
import { ClientWatch, type PresenceListener } from './client-watch.ts';
import { type CloseReason, codeOfIntakeError } from './close-reasons.ts';
import type { Completion } from './completion.ts';
import { BrokerCounters } from './counters.ts';
import { Flusher } from './flusher.ts';
import type { Intake, IntakeListener } from './intake.ts';
import type { BrokerLimits } from './limits.ts';
import { MemoryWatermarks } from './memory-watermarks.ts';
import { Marks } from './marks.ts';
import type { Message } from './message.ts';
import { MessageReader } from './message-packet.ts';
import type { RequestHandler } from './requests.ts';
import { Retained } from './retained.ts';
import type { SessionConnection } from './session.ts';
import { SharedGroups } from './shared-groups.ts';
import { StoreLink } from './store-link.ts';
import { type Matches, Subscriptions } from './subscriptions.ts';
import { StoredDeliveries } from './stored-deliveries.ts';
import { TokenBucket } from './token-bucket.ts';
import { dueTo } from './topic-trie.ts';
import { WideSubscriptions } from './wide-subscriptions.ts';

/** A reader of a socket that was told to stop. */
export interface PausedReader {
  continueReading(): void;
}

export interface BrokerCoreOptions {
  readonly limits: BrokerLimits;
  readonly clock: Clock;
  readonly logLines: LogLines;
  readonly intake: Intake | undefined;
  readonly requests: RequestHandler | undefined;
  readonly store: SessionStore | undefined;
  readonly presence: PresenceListener | undefined;
  readonly audiences: readonly AudienceListener[];
}

/** What the connections and sessions of one thread share: who subscribes, what is retained, what waits for disk. */
export class BrokerCore implements IntakeListener {
  readonly limits: BrokerLimits;
  readonly clock: Clock;
  readonly logLines: LogLines;
  readonly intake: Intake | undefined;
  readonly requests: RequestHandler | undefined;
  readonly counters = new BrokerCounters();
  readonly topics: TopicCache;
  readonly messages: MessageReader;
  readonly subscriptions = new Subscriptions();
  readonly retained: Retained;
  readonly groups: SharedGroups;
  readonly ring: AckRing;
  readonly store: StoreLink;
  readonly stored: StoredDeliveries;
  readonly marks: Marks;
  readonly memory: MemoryWatermarks;
  readonly watch: ClientWatch;
  readonly wide: WideSubscriptions;
  /** Why connections end, of which clients decide how many do. */
  readonly ends: ThrottledLines;
  readonly pool = new BufferPool();
  readonly flusher = new Flusher();
  /** Set where there are other threads. */
  bus: BusLink | undefined;
  /** Called when waiting messages were answered. */
  onSettled: (() => void) | undefined;
  readonly #admission: TokenBucket | undefined;
  #paused: PausedReader[] = [];
  readonly #doomed: [SessionConnection, CloseReason][] = [];

  constructor(options: BrokerCoreOptions) {
    const { limits, clock, logLines, intake, requests, store, presence, audiences } = options;
    this.limits = limits;
    this.clock = clock;
    this.logLines = logLines;
    this.intake = intake;
    this.requests = requests;
    this.topics = new TopicCache(limits.topicCacheSize);
    this.messages = new MessageReader(this.topics);
    this.ring = new AckRing(limits.maxWaitingAcks);
    this.store = new StoreLink({ store, maxWaiting: limits.maxWaitingAcks, logLines });
    this.stored = new StoredDeliveries(this);
    this.marks = new Marks(this);
    this.memory = new MemoryWatermarks(limits.maxMemoryBytes);
    this.wide = new WideSubscriptions(limits);
    this.ends = new ThrottledLines({ logLines, clock, sentence: 'a connection has ended' });
    this.#admission =
      limits.acceptPerSec === 0 ? undefined : new TokenBucket({ perSec: limits.acceptPerSec, burst: limits.acceptPerSec });
    this.watch = new ClientWatch(this, presence, audiences);
    this.retained = new Retained(this);
    this.groups = new SharedGroups(this);
    this.intake?.attach(this);
  }

  /** True while no more should be read from clients. */
  get saturated(): boolean {
    return (
      (this.intake !== undefined && this.intake.saturated) ||
      this.ring.full ||
      this.store.saturated ||
      (this.bus !== undefined && this.bus.saturated)
    );
  }

  /** Whether one more CONNECT may be looked at now. */
  admits(nowMs: number): boolean {
    return this.#admission === undefined || this.#admission.take(1, nowMs);
  }

  /** Looks at how much waits for clients. */
  watchMemory(): void {
    const { queuedBytes, backlogBytes, partialBytes } = this.counters;
    this.memory.update(queuedBytes, backlogBytes, partialBytes);
  }

  /** `reader` is told to go on once nothing is saturated any more. */
  pause(reader: PausedReader): void {
    this.counters.readingPauses++;
    this.#paused.push(reader);
  }

  /**
   * Whether all can take one more QoS 1 or 2 message of this size; nothing is delivered to any while one cannot, so that the
   * publisher can be told the truth and try again.
   */
  haveRoom({ list }: Pick<Matches, 'list'>, message: { readonly qos: number; readonly sizeBytes: number }): boolean {
    for (const { qos, subscriber } of list) {
      if (qos > 0 && message.qos > 0 && !subscriber.hasRoom(message.sizeBytes)) return false;
    }
    return true;
  }

  /** Those that can take one more message of this size, where nobody would send it again to the others: they miss it. */
  withRoom(matches: Matches, message: { readonly qos: number; readonly sizeBytes: number }): Matches {
    if (matches.plain || this.haveRoom(matches, message)) return matches;
    const list = matches.list.filter((match) => this.haveRoom({ list: [match] }, message));
    this.counters.dropped['queue-full'] += matches.list.length - list.length;
    return { list, plain: false };
  }

  /** Delivers to all that subscribe, here and in other threads. */
  deliver(message: Message, matches: Matches, completion?: Completion): void {
    for (const match of matches.list) {
      const due = dueTo(match, message.origin);
      if (due !== undefined) match.subscriber.deliver(message, due, completion);
    }
    this.stored.write(message, completion);
  }

  /** Delivers what came from another thread to the sessions of this one. Shared groups were seen to where it came in. */
  deliverHere(message: Message, { list }: Matches, completion?: Completion): void {
    for (const match of list) {
      const due = dueTo(match, message.origin);
      if (due?.subscriber.reach === 'session') due.subscriber.deliver(message, due, completion);
    }
    this.stored.write(message, completion);
  }

  /** Closes a connection at the end of this turn: for whoever is in the midst of something that closing would disturb. */
  closeSoon(connection: SessionConnection, reason: CloseReason): void {
    this.#doomed.push([connection, reason]);
    if (this.#doomed.length === 1) setImmediate(() => this.#closeDoomed());
  }

  onDurable(upTo: number): void {
    this.#settle(upTo, ReasonCode.success);
  }

  onRejected(upTo: number, error: Error): void {
    this.#settle(upTo, codeOfIntakeError(error));
  }

  onDrained(): void {
    this.resumeReading();
  }

  /** The store says what has become of changes. */
  onStoreSettled(upTo: number, error: Error | undefined): void {
    this.store.settle(upTo, error);
    this.resumeReading();
    this.onSettled?.();
  }

  resumeReading(): void {
    if (this.#paused.length === 0 || this.saturated) return;
    const paused = this.#paused;
    this.#paused = [];
    for (const reader of paused) reader.continueReading();
  }

  #settle(upTo: number, code: number): void {
    this.ring.settle(upTo, code);
    this.resumeReading();
    this.onSettled?.();
  }

  #closeDoomed(): void {
    // Closing one may doom more, by its will.
    for (let next = this.#doomed.shift(); next !== undefined; next = this.#doomed.shift()) next[0].close(next[1]);
  }
}
