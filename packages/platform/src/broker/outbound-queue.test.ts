import { Topic } from '@selsyn/wire/mqtt/topic-cache.ts';
import { describe, expect, it } from 'vitest';
import type { Delivery } from './delivery.ts';
import { Message } from './message.ts';
import { OutboundQueue } from './outbound-queue.ts';

const TOPIC = new Topic('t', Buffer.from('t'));

function delivery(): Delivery {
  const message = new Message(TOPIC, new Uint8Array(1), { qos: 1, retain: false }, undefined, 0);
  return { message, qos: 1, retain: false, identifiers: undefined, share: undefined, packetId: 0, ticket: 0, sent: false };
}

describe('the outbound queue', () => {
  it('is first in, first out over many rounds', () => {
    const queue = new OutboundQueue();
    const all = Array.from({ length: 500 }, delivery);
    const out: (Delivery | undefined)[] = [];
    for (const [i, item] of all.entries()) {
      queue.push(item);
      if (i % 3 > 0) out.push(queue.shift());
    }
    expect([queue.length, queue.items.length]).toEqual([all.length - out.length, all.length - out.length]);
    while (queue.length > 0) {
      const { first } = queue;
      out.push(queue.shift());
      expect(out.at(-1)).toBe(first);
    }
    expect(out).toEqual(all);
    expect([queue.first, queue.shift()]).toEqual([undefined, undefined]);
  });
});
