import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { PeerId } from '../bus/bus.ts';
import type { BrokerCore } from './broker-core.ts';
import { Afterwards, type Completion } from './completion.ts';
import type { Delivery, DeliverySource } from './delivery.ts';
import type { Message } from './message.ts';
import type { Session } from './session.ts';
import { ShareGroup } from './share-group.ts';
import { lesser, type Subscriber } from './subscriber.ts';
import type { Match, SubscriptionOptions } from './topic-trie.ts';

/** What a thread without a bus is called: nobody else chooses among threads. */
const ALONE = 0 as PeerId;

/** A shared subscription of sessions of this thread and of other threads: each message goes to one member. */
export class SharedSubscription implements Subscriber, DeliverySource {
  readonly key = '';
  readonly reach = 'group';
  readonly plain = false;
  readonly name: string;
  readonly #core: BrokerCore;
  readonly #members = new Map<Session, SubscriptionOptions>();
  readonly #group: ShareGroup<Session>;
  #announced = 0;

  /** @param name `$share/{group}/{filter}` */
  constructor(core: BrokerCore, name: string) {
    this.#core = core;
    this.name = name;
    this.#group = new ShareGroup({ self: core.bus?.self ?? ALONE, strategy: core.limits.sharedStrategy });
  }

  get isEmpty(): boolean {
    return this.#group.isEmpty;
  }

  join(session: Session, options: SubscriptionOptions): void {
    this.#members.set(session, options);
    this.#group.set(session, session.connection !== undefined);
    this.#announce();
  }

  leave(session: Session): void {
    this.#members.delete(session);
    this.#group.remove(session);
    this.#announce();
  }

  /** The client of a member has come or gone. */
  changed(session: Session): void {
    if (!this.#members.has(session)) return;
    this.#group.set(session, session.connection !== undefined);
    this.#announce();
  }

  setPeer(peer: PeerId, weight: number): void {
    this.#group.setPeer(peer, weight);
  }

  hasOnlineBesides(session: Session): boolean {
    return this.#group.hasOnlineBesides(session);
  }

  /** What its members may see is looked at when one is picked. */
  mayReceive(): boolean {
    return true;
  }

  /**
   * Whether a member has room, of those that can be picked: members whose clients are away count only where no client is there.
   * Whether another thread has room is not known: it answers for itself.
   */
  hasRoom(sizeBytes: number): boolean {
    if (this.#group.hasPeers) return true;
    let online = false;
    let away = false;
    for (const member of this.#members.keys()) {
      if (member.connection === undefined) away ||= member.hasRoom(sizeBytes);
      else if (member.hasRoom(sizeBytes)) return true;
      else online = true;
    }
    return away && !online;
  }

  deliver(message: Message, _match: Match<Subscriber>, completion: Completion | undefined): void {
    this.#give(message, completion, undefined);
  }

  redeliver({ message, qos }: Delivery, from: Session, done: (taken: boolean) => void): void {
    if (qos === 2 && from.open) {
      this.#moveHere(message, from, done);
      return;
    }
    const completion = new Afterwards((code) => {
      if (code >= 0x80 && !from.open) this.#core.counters.dropped['no-member']++;
      done(code < 0x80);
    });
    this.#give(message, completion, from);
    this.#core.stored.write(message, completion);
    completion.started();
  }

  /** Another thread has picked this one. */
  deliverHere(message: Message, completion: Completion | undefined): void {
    const member = this.#group.pickHere(message);
    if (member !== undefined) this.#giveTo(member, message);
    // The last one here has gone meanwhile.
    else if (this.#members.size === 0 && completion?.mark === undefined) this.#give(message, completion, undefined);
    // Who asked tries others, and knows where it has sent what must not be stored twice: were it passed on from here, threads without room would pass it round for ever.
    else completion?.atLeast(this.#whyNone(message));
  }

  /**
   * At QoS 2 a message never leaves the thread of a session that lasts: to store it elsewhere and to take it away here is not one
   * act, and after a crash in between both would have it. Here the one is written right behind the other.
   */
  #moveHere(message: Message, from: Session, done: (taken: boolean) => void): void {
    const member = this.#group.pickAwake(message, from);
    if (member !== undefined) this.#giveTo(member, message);
    this.#core.stored.write(message, undefined);
    done(member !== undefined);
  }

  #give(message: Message, completion: Completion | undefined, except: Session | undefined): void {
    const picked = this.#group.pick(message, except);
    if (picked === undefined) this.#refuse({ completion, except, worst: this.#whyNone(message) });
    else if (typeof picked === 'number') {
      completion?.expectElsewhere();
      this.#offer(picked, { message, completion, except, tried: new Set(), worst: ReasonCode.noMatchingSubscribers });
    } else this.#giveTo(picked, message);
  }

  /** Asks another thread to take it. One that has nobody for it says so, and the others are asked, each once. */
  #offer(peer: PeerId, offer: Offer): void {
    const { message, completion } = offer;
    offer.tried.add(peer);
    // By the time of the answer, the bytes that it came in may be those of another packet.
    if (message.qos > 0) message.own();
    const answer = new Afterwards((code) => {
      if (code !== ReasonCode.quotaExceeded && code !== ReasonCode.noMatchingSubscribers) {
        if (code < 0x80) completion?.mark?.addGroup(this.name);
        completion?.answered(code);
      } else {
        offer.worst = Math.max(offer.worst, code);
        this.#offerOthers(offer);
      }
    });
    answer.mark = completion?.mark;
    this.#core.bus?.send(peer, 'share', message, this.name, answer);
    answer.started();
  }

  #offerOthers(offer: Offer): void {
    const { message, completion, except, tried } = offer;
    const member = this.#group.pickHere(message, except);
    const thread = member === undefined ? this.#group.threadBesides(tried) : undefined;
    if (thread !== undefined) {
      this.#offer(thread, offer);
      return;
    }
    if (member === undefined) this.#refuse({ completion, except, worst: Math.max(offer.worst, this.#whyNone(message)) });
    else {
      this.#giveTo(member, message);
      this.#core.stored.write(message, completion);
    }
    completion?.answered(0);
  }

  /** Nobody takes it. Where nobody may see it or is there any more, that is no fault of anybody. */
  #refuse({ completion, except, worst }: Pick<Offer, 'completion' | 'except' | 'worst'>): void {
    if (except === undefined) this.#core.counters.dropped['no-member']++;
    if (except !== undefined || worst >= 0x80) completion?.atLeast(ReasonCode.quotaExceeded);
  }

  /** What is to be said of a message that no member here takes: they have no room, or may not see it. */
  #whyNone(message: Message): number {
    for (const member of this.#members.keys()) if (member.mayReceive(message.topic.name)) return ReasonCode.quotaExceeded;
    return ReasonCode.noMatchingSubscribers;
  }

  #giveTo(member: Session, message: Message): void {
    const options = this.#members.get(member);
    if (options === undefined) return;
    const { qos, retainAsPublished, identifier } = options;
    const identifiers = identifier === 0 ? undefined : [identifier];
    member.outbound.send(message, lesser(qos, message.qos), retainAsPublished && message.retain, identifiers, this);
  }

  #announce(): void {
    const { weight } = this.#group;
    if (weight === this.#announced) return;
    this.#announced = weight;
    this.#core.bus?.announceGroup(this.name, weight);
  }
}

/** A message on its way round the threads that have members. */
interface Offer {
  readonly message: Message;
  readonly completion: Completion | undefined;
  /** Whom it is taken from. */
  readonly except: Session | undefined;
  readonly tried: Set<PeerId>;
  /** What those said that did not take it. */
  worst: number;
}
