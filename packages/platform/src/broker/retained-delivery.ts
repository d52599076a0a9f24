import type { QoS } from '@selsyn/wire/mqtt/packets.ts';
import type { BrokerCore } from './broker-core.ts';
import type { Message } from './message.ts';
import type { RetainedCursor, RetainedStore } from './retained-store.ts';
import type { Session } from './session.ts';
import { lesser } from './subscriber.ts';

/** The filters of one session whose retained messages are still being sent; at most one job for each of its subscriptions. */
export interface RetainedJobs {
  jobs: Map<string, RetainedJob> | undefined;
  /** True while the session stands in the queue of the delivery. */
  queued: boolean;
}

interface RetainedJob {
  readonly cursor: RetainedCursor;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly identifiers: readonly number[] | undefined;
  /** Topics that were in doubt when their turn came. */
  later: string[];
}

/**
 * Sends retained messages to new subscriptions in slices, taking turns among sessions and with everything else the thread does.
 *
 * A session whose client is slow leaves the queue, and comes back by `resume` when it is ready: it holds a cursor, not messages.
 */
export class RetainedDelivery {
  readonly #store: RetainedStore;
  readonly #core: BrokerCore;
  #queue: Session[] = [];
  /** Sessions to which nothing more can be sent that is not in doubt. */
  #doubtful = new Set<Session>();
  #scheduled = false;
  readonly #run = (): void => this.#slice();

  constructor(store: RetainedStore, core: BrokerCore) {
    this.#store = store;
    this.#core = core;
  }

  /** Sends all retained messages that match a subscription the session has; again from the start if it is at it already. */
  start(session: Session, filter: string): void {
    const options = session.subscriptions.get(filter);
    if (options === undefined || this.#store.count === 0) return;
    session.retained.jobs ??= new Map();
    session.retained.jobs.set(filter, {
      cursor: this.#store.cursor(filter),
      qos: options.qos,
      noLocal: options.noLocal,
      identifiers: options.identifier === 0 ? undefined : [options.identifier],
      later: [],
    });
    this.resume(session);
  }

  cancel(session: Session, filter: string): void {
    session.retained.jobs?.delete(filter);
  }

  /** The session can be sent to again. */
  resume(session: Session): void {
    const { jobs, queued } = session.retained;
    if (jobs === undefined || jobs.size === 0 || queued) return;
    session.retained.queued = true;
    this.#queue.push(session);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#run);
  }

  /** Some topics are in doubt no more. */
  doubtsCleared(): void {
    const doubtful = this.#doubtful;
    this.#doubtful = new Set();
    for (const session of doubtful) this.resume(session);
  }

  #slice(): void {
    this.#scheduled = false;
    const queue = this.#queue;
    this.#queue = [];
    let budget = SLICE_NODES;
    for (const session of queue) {
      session.retained.queued = false;
      if (!session.open) continue;
      if (budget > 0) budget -= this.#serve(session, Math.min(budget, SESSION_NODES));
      else this.resume(session);
    }
  }

  /** Works on the oldest job of a session, and puts the session in the queue again if it can go on. */
  #serve(session: Session, nodes: number): number {
    const { jobs } = session.retained;
    const first = jobs?.entries().next().value;
    if (jobs === undefined || first === undefined) return 0;
    const [filter, job] = first;
    // `ready` is asked before each message, so that a session found busy is resumed later.
    if (!session.outbound.ready) return 0;
    if (session.isPersistent && this.#core.memory.isFull) {
      this.#rest(session);
      return 0;
    }
    const take = (message: Message): boolean => {
      this.#send(session, job, message);
      return session.open && session.outbound.ready;
    };
    const visited = job.cursor.done ? this.#readLater(job, take) : job.cursor.read(nodes, take);
    if (job.cursor.done && job.later.length === 0) jobs.delete(filter);
    if (jobs.size === 0 || !session.open || !session.outbound.ready) return visited;
    if (job.cursor.done && job.later.length > 0 && job.later.every((topic) => this.#isInDoubt(topic)))
      this.#doubtful.add(session);
    else this.resume(session);
    return visited;
  }

  /** @returns how many topics were looked at. */
  #readLater(job: RetainedJob, take: (message: Message) => boolean): number {
    const { later } = job;
    job.later = later.filter((topic) => this.#isInDoubt(topic));
    const due = later.filter((topic) => !this.#isInDoubt(topic));
    for (const [i, topic] of due.entries()) {
      const message = this.#store.get(topic);
      if (message === undefined || take(message)) continue;
      job.later.push(...due.slice(i + 1));
      break;
    }
    return later.length;
  }

  #isInDoubt(topic: string): boolean {
    return this.#core.retained.doubts?.has(topic) === true;
  }

  /** Nothing more can be kept for anybody: it is tried again later, as the messages are there still. */
  #rest(session: Session): void {
    session.retained.queued = true;
    this.#core.clock.after(REST_MS, () => {
      session.retained.queued = false;
      if (session.open) this.resume(session);
    });
  }

  #send(session: Session, job: RetainedJob, message: Message): void {
    // No local holds for retained messages too [MQTT-3.8.3-3].
    if (job.noLocal && message.origin === session.key) return;
    if (!session.mayReceive(message.topic.name)) return;
    if (this.#isInDoubt(message.topic.name)) {
      job.later.push(message.topic.name);
      return;
    }
    // Its life is over [MQTT-3.3.2-5]: it leaves with the next sweep.
    if (message.expiresAtMs <= this.#core.clock.monotonicMs()) return;
    session.outbound.send(message, lesser(job.qos, message.qos), true, job.identifiers);
    this.#core.stored.write(message, undefined);
  }
}

const SLICE_NODES = 1_024;
const SESSION_NODES = 128;
const REST_MS = 1_000;
