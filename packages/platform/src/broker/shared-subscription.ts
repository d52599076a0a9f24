import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { PeerId } from '../bus/bus.ts';
import type { BrokerCore } from './broker-core.ts';
import type { Completion } from './completion.ts';
import type { DeliverySource } from './delivery.ts';
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

  /** Whether another thread has members is not known to have room: it answers for itself. */
  hasRoom(sizeBytes: number): boolean {
    if (this.#group.hasPeers) return true;
    for (const member of this.#members.keys()) if (member.hasRoom(sizeBytes)) return true;
    return false;
  }

  deliver(message: Message, _match: Match<Subscriber>, completion: Completion | undefined): void {
    this.#give(message, completion, undefined);
  }

  redeliver(message: Message, from: Session): void {
    this.#give(message, undefined, from);
    this.#core.stored.write(message, undefined);
  }

  /** Another thread has picked this one. */
  deliverHere(message: Message, completion: Completion | undefined): void {
    const member = this.#group.pickHere(message);
    if (member !== undefined) this.#giveTo(member, message);
    // The last one here has gone meanwhile.
    else this.#give(message, completion, undefined);
  }

  #give(message: Message, completion: Completion | undefined, except: Session | undefined): void {
    const picked = this.#group.pick(message, except);
    if (picked === undefined) {
      this.#core.counters.dropped['no-member']++;
      completion?.atLeast(ReasonCode.quotaExceeded);
    } else if (typeof picked === 'number') this.#core.bus?.send(picked, 'share', message, this.name, completion);
    else this.#giveTo(picked, message);
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
