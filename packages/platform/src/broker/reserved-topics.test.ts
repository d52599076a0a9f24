import { describe, expect, it } from 'vitest';
import { isReservedTopic } from './reserved-topics.ts';

describe('a reserved topic', () => {
  it.each([
    '$aws/things/d1/shadow/update/delta',
    '$aws/things/d1/shadow/update/documents',
    '$aws/things/d1/shadow/get/accepted',
    '$aws/things/d1/shadow/name/n/delete/rejected',
    '$aws/things/d1/jobs/notify',
    '$aws/things/d1/jobs/notify-next',
    '$aws/things/d1/jobs/get/accepted',
    '$aws/things/d1/jobs/$next/get/rejected',
    '$aws/commands/things/d1/executions/c/request/json',
    '$aws/commands/things/d1/executions/c/response/accepted/json',
  ])('is what the server tells a thing: %s', (topic) => {
    expect(isReservedTopic(topic)).toBe(true);
  });

  it.each([
    '$aws/things/d1/shadow/get',
    '$aws/things/d1/shadow/name/n/update',
    '$aws/things/d1/shadow/name/update/delta',
    '$aws/things/d1/jobs/$next/get',
    '$aws/things/d1/jobs/j/update',
    '$aws/commands/things/d1/executions/c/response/json',
    '$aws/things/d1/tunnels/notify',
  ])('is not what a thing asks: %s', (topic) => {
    expect(isReservedTopic(topic)).toBe(false);
  });

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
