import { TopicCache } from '@selsyn/wire/mqtt/topic-cache.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { AckRing } from './ack-ring.ts';
import { BufferPool } from './buffer-pool.ts';
import type { BusLink } from './bus-link.ts';
import { type CloseReason, codeOfIntakeError } from './close-reasons.ts';
import { BrokerCounters } from './counters.ts';
import { Flusher } from './flusher.ts';
import type { Intake, IntakeListener } from './intake.ts';
import type { BrokerLimits } from './limits.ts';
import type { Message } from './message.ts';
import { RetainedDelivery } from './retained-delivery.ts';
import { RetainedStore } from './retained-store.ts';
import type { SessionConnection } from './session.ts';
import type { Subscriber } from './subscriber.ts';
import { Subscriptions } from './subscriptions.ts';

/** A reader of a socket that was told to stop. */
export interface PausedReader {
  continueReading(): void;
}

/** What the connections of one thread share: who subscribes, what is retained, what waits for the intake. */
export class BrokerCore implements IntakeListener {
  readonly limits: BrokerLimits;
  readonly clock: Clock;
  readonly logLines: LogLines;
  readonly intake: Intake | undefined;
  readonly counters = new BrokerCounters();
  readonly topics: TopicCache;
  readonly subscriptions = new Subscriptions<Subscriber>();
  readonly retained: RetainedStore;
  readonly retainedDelivery: RetainedDelivery;
  readonly ring: AckRing;
  readonly pool = new BufferPool();
  readonly flusher = new Flusher();
  /** Set where there are other threads. */
  bus: BusLink | undefined;
  /** Called when waiting messages were answered. */
  onSettled: (() => void) | undefined;
  #paused: PausedReader[] = [];
  readonly #doomed: [SessionConnection, CloseReason][] = [];

  constructor(options: {
    readonly limits: BrokerLimits;
    readonly clock: Clock;
    readonly logLines: LogLines;
    readonly intake: Intake | undefined;
  }) {
    this.limits = options.limits;
    this.clock = options.clock;
    this.logLines = options.logLines;
    this.intake = options.intake;
    this.topics = new TopicCache(options.limits.topicCacheSize);
    this.retained = new RetainedStore(options.limits);
    this.retainedDelivery = new RetainedDelivery(this.retained, options.clock);
    this.ring = new AckRing(options.limits.maxWaitingAcks);
    this.intake?.attach(this);
  }

  /** True while no more should be read from clients. */
  get saturated(): boolean {
    return (
      (this.intake !== undefined && this.intake.saturated) || this.ring.full || (this.bus !== undefined && this.bus.saturated)
    );
  }

  /** `reader` is told to go on once nothing is saturated any more. */
  pause(reader: PausedReader): void {
    this.counters.readingPauses++;
    this.#paused.push(reader);
  }

  /** Keeps a retained message, or removes what the topic has; false where the bounds forbid it. */
  retain(message: Message): boolean {
    if (message.payload.length === 0) this.retained.remove(message.topic.name);
    else if (!this.retained.put(message)) return false;
    this.bus?.replicate(message);
    return true;
  }

  /** Delivers to all that subscribe, here and in other threads. */
  deliver(message: Message): void {
    for (const match of this.subscriptions.match(message.topic)) {
      if (match.noLocal && match.subscriber.key === message.origin) continue; // [MQTT-3.8.3-3]
      match.subscriber.deliver(message, match);
    }
  }

  /** Delivers what came from another thread to the sessions of this one. */
  deliverHere(message: Message): void {
    for (const match of this.subscriptions.match(message.topic)) {
      if (!match.subscriber.remote) match.subscriber.deliver(message, match);
    }
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
