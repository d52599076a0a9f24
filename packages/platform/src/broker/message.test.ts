import { Topic } from '@selsyn/wire/mqtt/topic-cache.ts';
import { describe, expect, it } from 'vitest';
import { Message } from './message.ts';

const TOPIC = new Topic('a/b', Buffer.from('a/b'));

function message(properties = {}, nowMs = 0): Message {
  return new Message(TOPIC, Buffer.from('x'), { qos: 1, retain: true }, properties, nowMs);
}

describe('a message', () => {
  it('is encoded once for each kind of subscriber', () => {
    const sent = message();
    const one = sent.encoding(4, 1, false, undefined);
    expect(sent.encoding(4, 1, false, undefined)).toBe(one);
    const others = [
      sent.encoding(4, 0, false, undefined),
      sent.encoding(4, 1, true, undefined),
      sent.encoding(5, 1, false, undefined),
      sent.encoding(5, 1, false, [1]),
      sent.encoding(5, 1, false, [1, 2]),
      sent.encoding(5, 2, false, [1]),
    ];
    expect(new Set([one, ...others]).size).toBe(7);
    expect(sent.encoding(5, 1, false, [1, 2])).toBe(others[4]);
    expect(sent.encoding(4, 1, false, [1])).toBe(one);
  });

  it('does not keep the chunk that its correlation data came in', () => {
    const chunk = Buffer.from('....corr....');
    const kept = message({ correlationData: chunk.subarray(4, 8) }).properties?.correlationData;
    expect(kept?.buffer.byteLength).toBe(4);
  });

  it('leaves behind what belongs to the connection it came on', () => {
    expect(message({ topicAlias: 3 }).properties).toBeUndefined();
    expect(message({ topicAlias: 3, contentType: 'c' }).properties).toEqual({ contentType: 'c' });
  });

  it('knows how long it lives, in whole seconds', () => {
    const mortal = message({ messageExpirySec: 10 }, 1_000);
    expect([1_000, 1_001, 10_001, 11_000, 99_000].map((now) => mortal.remainingSec(now))).toEqual([10, 10, 1, 0, 0]);
    expect(message().remainingSec(1e12)).toBeUndefined();
  });
});
