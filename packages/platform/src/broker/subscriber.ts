import type { Message } from './message.ts';
import type { Match } from './topic-trie.ts';

/** Whom a message can be delivered to: a session of this thread, or another thread or node. */
export interface Subscriber {
  /** What {@link Message.origin} of its own messages is. */
  readonly key: string;
  /** True for another thread or node, which delivers to its own sessions. */
  readonly remote: boolean;
  /** Must not wait, nor close anything at once. */
  deliver(message: Message, match: Match<Subscriber>): void;
}
