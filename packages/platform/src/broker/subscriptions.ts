import type { Topic } from '@selsyn/wire/mqtt/topic-cache.ts';
import { TopicTrie, type Match, type SubscriptionOptions } from './topic-trie.ts';

/**
 * The subscription trie with the matches of the topics that were asked for last.
 *
 * The cache is dropped as a whole when a subscription changes: it never keeps a subscriber that has gone.
 */
export class Subscriptions<S> {
  readonly #trie = new TopicTrie<S>();
  readonly #cache = new Map<Topic, readonly Match<S>[]>();
  readonly #cacheLimit: number;

  constructor(cacheLimit = 10_000) {
    this.#cacheLimit = cacheLimit;
  }

  /** Changes with every change of what matches. */
  get version(): number {
    return this.#trie.version;
  }

  get size(): number {
    return this.#trie.size;
  }

  set(filter: string, subscriber: S, options: SubscriptionOptions): boolean {
    const isNew = this.#trie.set(filter, subscriber, options);
    this.#cache.clear();
    return isNew;
  }

  delete(filter: string, subscriber: S): boolean {
    this.#cache.clear();
    return this.#trie.delete(filter, subscriber);
  }

  /** All subscribers of a topic, each once. The array never changes; it may outlive the subscriptions in it. */
  match(topic: Topic): readonly Match<S>[] {
    let matches = this.#cache.get(topic);
    if (matches === undefined) {
      if (this.#cache.size >= this.#cacheLimit) this.#cache.clear();
      matches = this.#trie.match(topic.name);
      this.#cache.set(topic, matches);
    }
    return matches;
  }
}
