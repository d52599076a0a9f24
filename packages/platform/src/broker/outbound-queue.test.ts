import { Topic } from '@selsyn/wire/mqtt/topic-cache.ts';
import { describe, expect, it } from 'vitest';
import { Message } from './message.ts';
import { type Delivery, OutboundQueue } from './outbound-queue.ts';

const TOPIC = new Topic('t', Buffer.from('t'));

function delivery(bytes: number): Delivery {
  const message = new Message(TOPIC, new Uint8Array(bytes), { qos: 1, retain: false }, undefined, 0);
  return { message, qos: 1, retain: false, identifiers: undefined };
}

describe('the outbound queue', () => {
  it('is first in, first out over many rounds', () => {
    const queue = new OutboundQueue({ maxQueuedMessages: 1_000, maxQueuedBytes: 1e6 });
    const all = Array.from({ length: 500 }, () => delivery(1));
    const out: (Delivery | undefined)[] = [];
    for (const [i, item] of all.entries()) {
      expect(queue.push(item)).toBe(true);
      if (i % 3 > 0) out.push(queue.shift());
    }
    expect(queue.length).toBe(all.length - out.length);
    while (queue.length > 0) out.push(queue.shift());
    expect(out).toEqual(all);
    expect([queue.bytes, queue.shift()]).toEqual([0, undefined]);
  });

  it('is bounded in messages and in bytes', () => {
    const queue = new OutboundQueue({ maxQueuedMessages: 2, maxQueuedBytes: 100 });
    expect([queue.push(delivery(10)), queue.push(delivery(89)), queue.push(delivery(10))]).toEqual([true, false, true]);
    expect([queue.push(delivery(1)), queue.length, queue.bytes]).toEqual([false, 2, 22]);
    expect([queue.clear(), queue.length, queue.bytes]).toEqual([2, 0, 0]);
  });
});
