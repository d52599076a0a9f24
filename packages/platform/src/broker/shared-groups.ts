import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { PeerId } from '../bus/bus.ts';
import { parseSharedFilter } from '@selsyn/wire/topics/topic-filter.ts';
import type { BrokerCore } from './broker-core.ts';
import type { Completion } from './completion.ts';
import type { DeliverySource } from './delivery.ts';
import type { Message } from './message.ts';
import type { Session } from './session.ts';
import { SharedSubscription } from './shared-subscription.ts';
import type { SubscriptionOptions } from './topic-trie.ts';

/** The shared groups that have members in this thread or another, by `$share/{group}/{filter}`. */
export class SharedGroups {
  readonly #core: BrokerCore;
  readonly #groups = new Map<string, SharedSubscription>();

  constructor(core: BrokerCore) {
    this.#core = core;
  }

  join(name: string, session: Session, options: SubscriptionOptions): void {
    this.#group(name).join(session, options);
  }

  leave(name: string, session: Session): void {
    const group = this.#groups.get(name);
    if (group === undefined) return;
    group.leave(session);
    this.#dropEmpty(group);
  }

  /** A member's client has come or gone. */
  changed(session: Session): void {
    if (this.#groups.size === 0 || session.subscriptionCount === 0) return;
    for (const name of session.subscriptions.keys()) this.#groups.get(name)?.changed(session);
  }

  hasOtherMember(name: string, session: Session): boolean {
    return this.#groups.get(name)?.hasOnlineBesides(session) ?? false;
  }

  /** What restored deliveries refer to; it gives messages to whatever members there are then. */
  source(name: string): DeliverySource {
    return {
      name,
      redeliver: (delivery, from, done) => {
        const group = this.#groups.get(name);
        if (group === undefined) done(false);
        else group.redeliver(delivery, from, done);
      },
    };
  }

  onInterest(peer: PeerId, name: string, weight: number): void {
    if (weight === 0 && !this.#groups.has(name)) return;
    const group = this.#group(name);
    group.setPeer(peer, weight);
    this.#dropEmpty(group);
  }

  onPeerGone(peer: PeerId): void {
    for (const group of this.#groups.values()) {
      group.setPeer(peer, 0);
      this.#dropEmpty(group);
    }
  }

  /** A message that another thread has given to the members here. */
  deliverTo(name: string, message: Message, completion: Completion | undefined): void {
    const group = this.#groups.get(name);
    // The last one here has gone meanwhile, and no other thread has any: whoever gave it may have it still.
    if (group === undefined) completion?.atLeast(ReasonCode.noMatchingSubscribers);
    else group.deliverHere(message, completion);
    this.#core.stored.write(message, completion);
  }

  #group(name: string): SharedSubscription {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = new SharedSubscription(this.#core, name);
      this.#groups.set(name, group);
      this.#core.subscriptions.set(this.#filterOf(name), group, AS_PUBLISHED);
    }
    return group;
  }

  #dropEmpty(group: SharedSubscription): void {
    if (!group.isEmpty) return;
    this.#groups.delete(group.name);
    this.#core.subscriptions.delete(this.#filterOf(group.name), group);
  }

  #filterOf(name: string): string {
    const shared = parseSharedFilter(name);
    if (shared === undefined) throw new TypeError(`${name} is no shared filter`);
    return shared.filter;
  }
}

/** Its members' own subscriptions say what they want of it. */
const AS_PUBLISHED: SubscriptionOptions = { qos: 2, noLocal: false, retainAsPublished: true, identifier: 0 };
