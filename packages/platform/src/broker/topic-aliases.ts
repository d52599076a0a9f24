import type { Topic } from '@selsyn/wire/mqtt/topic-cache.ts';

/** What stands for a topic in a PUBLISH. Valid until the next call of `aliasOf`. */
export interface TopicAlias {
  readonly alias: number;
  /** True: the packet must have the topic too, as it tells the client what the alias means from now on. */
  readonly isNew: boolean;
}

/**
 * The topic aliases towards one client (MQTT 5.0, section 3.3.2.3.4), for one connection.
 *
 * A topic gets one when it is sent for the second time while it is remembered. When all are given, a new topic and those that have
 * one compete: each use of an alias earns it a credit, each try of a new topic takes one from the next alias in turn, and only an
 * alias without credit is given away. So aliases move to the topics that are used now, but where more topics take turns than there
 * are aliases, those that have one keep it: one that changed with each message would cost more than it saves.
 *
 * O(1); at most `max` aliases and twice as many remembered names. Invariant: `#byName` holds what the client was told, if all that
 * `aliasOf` gave was sent, in order, or taken back by `forget`.
 */
export class TopicAliases {
  readonly #max: number;
  readonly #byName = new Map<string, number>();
  /** By alias - 1; '' where it was taken back. */
  readonly #names: string[] = [];
  readonly #credits: number[] = [];
  readonly #free: number[] = [];
  /** The next alias - 1 that loses a credit. */
  #hand = 0;
  /** Sent lately without an alias; the oldest first. */
  readonly #remembered = new Set<string>();
  readonly #answer = { alias: 0, isNew: false };

  /** @param max the highest alias that the client takes; more than 0. */
  constructor(max: number) {
    this.#max = max;
  }

  /** To be asked for each PUBLISH once it is sure to be sent. Undefined: it goes with its topic alone. */
  aliasOf(topic: Topic): TopicAlias | undefined {
    if (topic.bytes.length < SHORTEST_BYTES) return undefined;
    const { name } = topic;
    const known = this.#byName.get(name);
    if (known !== undefined) {
      const credit = this.#credits[known - 1]!; // each alias has one
      if (credit < MAX_CREDIT) this.#credits[known - 1] = credit + 1;
      return this.#answered(known, false);
    }
    if (!this.#remembered.delete(name)) {
      this.#remember(name);
      return undefined;
    }
    const alias = this.#takeAlias();
    if (alias === 0) {
      this.#remember(name);
      return undefined;
    }
    this.#byName.set(name, alias);
    this.#names[alias - 1] = name;
    this.#credits[alias - 1] = FIRST_CREDIT;
    return this.#answered(alias, true);
  }

  /** What an alias stands for; undefined: nothing. */
  topicOf(alias: number): string | undefined {
    return this.#names[alias - 1];
  }

  /** Takes a new alias back: the packet that would have told it was not sent. */
  forget(topic: Topic): void {
    const alias = this.#byName.get(topic.name);
    if (alias === undefined) return;
    this.#byName.delete(topic.name);
    this.#names[alias - 1] = '';
    this.#credits[alias - 1] = MAX_CREDIT;
    this.#free.push(alias);
  }

  #answered(alias: number, isNew: boolean): TopicAlias {
    this.#answer.alias = alias;
    this.#answer.isNew = isNew;
    return this.#answer;
  }

  #remember(name: string): void {
    if (this.#remembered.size >= 2 * this.#max) {
      for (const oldest of this.#remembered) {
        this.#remembered.delete(oldest);
        break;
      }
    }
    this.#remembered.add(name);
  }

  /** 0: there is none to be had now. */
  #takeAlias(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#names.length < this.#max) {
      this.#names.push('');
      this.#credits.push(0);
      return this.#names.length;
    }
    const slot = this.#hand;
    this.#hand = (slot + 1) % this.#max;
    const credit = this.#credits[slot]!; // there are `max`
    if (credit > 0) {
      this.#credits[slot] = credit - 1;
      return 0;
    }
    this.#byName.delete(this.#names[slot]!); // as many as credits
    return slot + 1;
  }
}

/** An alias takes 3 bytes, and may make the length of the properties a byte longer: shorter names save nothing. */
const SHORTEST_BYTES = 5;
const FIRST_CREDIT = 2;
const MAX_CREDIT = 7;
