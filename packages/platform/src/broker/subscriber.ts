import type { QoS } from '@selsyn/wire/mqtt/packets.ts';
import type { Completion } from './completion.ts';
import type { Message } from './message.ts';
import type { Match } from './topic-trie.ts';

/** Whom a message can be delivered to: a session of this thread, a shared group, or another thread or node. */
export interface Subscriber {
  /** What {@link Message.origin} of its own messages is. */
  readonly key: string;
  /** A session of this thread; a shared group; or another thread or node, which delivers to its own sessions. */
  readonly reach: 'session' | 'group' | 'peer';
  /** True for a session that ends with its connection: a message given to it needs no more attention. */
  readonly plain: boolean;
  /** Whether it may see messages on this topic. */
  mayReceive(topic: string): boolean;
  /** Whether it can take one more QoS 1 or 2 message of this size. */
  hasRoom(sizeBytes: number): boolean;
  /** Must not wait, nor close anything at once. `completion` is told of all that its delivery waits for. */
  deliver(message: Message, match: Match<Subscriber>, completion: Completion | undefined): void;
}

export function lesser(a: QoS, b: QoS): QoS {
  return a < b ? a : b;
}
