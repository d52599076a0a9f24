import type { Topic } from '@selsyn/wire/mqtt/topic-cache.ts';
import type { Subscriber } from './subscriber.ts';
import { TopicTrie, type Match, type SubscriptionOptions } from './topic-trie.ts';

/** Who gets the messages of one topic. Never changes; it may outlive the subscriptions in it. */
export interface Matches {
  /** Each subscriber once. */
  readonly list: readonly Match<Subscriber>[];
  /** True when all are sessions that end with their connections: nothing has to be waited for or asked. */
  readonly plain: boolean;
}

/**
 * The subscription trie with the matches of the topics that were asked for last.
 *
 * The cache is dropped as a whole when a subscription changes: it never keeps a subscriber that has gone.
 */
export class Subscriptions {
  readonly #trie = new TopicTrie<Subscriber>();
  readonly #cache = new Map<Topic, Matches>();
  readonly #cacheLimit: number;
  /** Of what subscribers may see. */
  #changes = 0;

  constructor(cacheLimit = 10_000) {
    this.#cacheLimit = cacheLimit;
  }

  /** Changes with every change of what matches. */
  get version(): number {
    return this.#trie.version + this.#changes;
  }

  get size(): number {
    return this.#trie.size;
  }

  /** Nodes that were looked at for all matches: what matching costs. */
  get visits(): number {
    return this.#trie.visits;
  }

  set(filter: string, subscriber: Subscriber, options: SubscriptionOptions): boolean {
    const isNew = this.#trie.set(filter, subscriber, options);
    this.#cache.clear();
    return isNew;
  }

  delete(filter: string, subscriber: Subscriber): boolean {
    this.#cache.clear();
    return this.#trie.delete(filter, subscriber);
  }

  /** What a subscriber may see has changed. */
  reconsider(): void {
    this.#changes++;
    this.#cache.clear();
  }

  /** Whether anybody subscribes to a topic that is not worth a place in the cache. */
  isWanted(topic: string): boolean {
    return this.#trie.match(topic).some(({ subscriber }) => subscriber.mayReceive(topic));
  }

  /** All subscribers of a topic that may see it, each once. */
  match(topic: Topic): Matches {
    let matches = this.#cache.get(topic);
    if (matches === undefined) {
      if (this.#cache.size >= this.#cacheLimit) this.#cache.clear();
      const list = this.#trie.match(topic.name).filter(({ subscriber }) => subscriber.mayReceive(topic.name));
      matches = list.length === 0 ? NONE : { list, plain: list.every(({ subscriber }) => subscriber.plain) };
      this.#cache.set(topic, matches);
    }
    return matches;
  }
}

const NONE: Matches = { list: [], plain: true };
