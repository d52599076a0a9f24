import { describe, expect, it } from 'vitest';
import { isReservedTopic } from './reserved-topics.ts';

describe('a reserved topic', () => {
  it.each(['$SYS', '$SYS/', '$SYS/broker/version', '$aws/events/presence/connected/d1', '$aws/events/', '$selsyn/events/x'])(
    'is %s',
    (topic) => {
      expect(isReservedTopic(topic)).toBe(true);
    },
  );

  it.each(['', 'SYS/broker', 'a/$SYS/b', '$SYSTEM/x', '$aws/things/d1/shadow/update', '$aws/eventsx/y', '$share/g/a', '/$SYS/x'])(
    'is not %j',
    (topic) => {
      expect(isReservedTopic(topic)).toBe(false);
    },
  );
});
