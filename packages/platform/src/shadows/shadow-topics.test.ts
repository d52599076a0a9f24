import { expect, test } from 'vitest';
import {
  deltaInterests,
  failedShadow,
  isShadowFilter,
  isShadowTopic,
  parseShadowTopic,
  shadowPrefix,
  throttledShadow,
} from './shadow-topics.ts';

test('requests are known by their topics; answers, events and other topics are none', () => {
  expect(parseShadowTopic('$aws/things/T/shadow/get')).toEqual({ device: 'T', shadow: '', operation: 'get' });
  expect(parseShadowTopic('$aws/things/a:b.c/shadow/update')).toEqual({ device: 'a:b.c', shadow: '', operation: 'update' });
  expect(parseShadowTopic('$aws/things/T/shadow/name/n-1/delete')).toEqual({ device: 'T', shadow: 'n-1', operation: 'delete' });
  for (const topic of [
    '$aws/things/T/shadow/get/accepted',
    '$aws/things/T/shadow/update/delta',
    '$aws/things/T/shadow/update/documents',
    '$aws/things/T/shadow',
    '$aws/things/T/shadow/name/get',
    '$aws/things/T/shadow/name//get',
    '$aws/things/T/shadow/name/a b/get',
    `$aws/things/T/shadow/name/${'n'.repeat(65)}/get`,
    '$aws/things/T/shadow/name/n/get/accepted',
    '$aws/things//shadow/get',
    '$aws/things/T/jobs/get',
    'devices/T/shadow/get',
    '$aws/things/T',
  ]) {
    expect([topic, isShadowTopic(topic)]).toEqual([topic, false]);
  }
  expect(isShadowTopic('$aws/things/T/shadow/update')).toBe(true);
  expect(shadowPrefix({ device: 'T', shadow: 'n' })).toBe('$aws/things/T/shadow/name/n');
});

test('a subscription waits for the deltas of a device where it matches their topic', () => {
  const classic = { device: 'T', shadow: '' };
  const named = { device: 'T', shadow: 'n' };
  const all = { device: 'T', shadow: undefined };
  const cases: Record<string, readonly unknown[]> = {
    '$aws/things/T/shadow/update/delta': [classic],
    '$aws/things/T/shadow/update/+': [classic],
    '$aws/things/T/shadow/update/#': [classic],
    '$aws/things/T/shadow/+/delta': [classic],
    '$aws/things/T/shadow/name/n/update/delta': [named],
    '$aws/things/T/shadow/name/n/#': [named],
    '$aws/things/T/shadow/name/n/update/#': [named],
    '$aws/things/T/shadow/name/+/update/delta': [all],
    '$aws/things/T/shadow/name/#': [all],
    '$aws/things/T/shadow/#': [classic, all],
    '$aws/things/T/#': [classic, all],
    '$aws/things/T/shadow/update': [],
    '$aws/things/T/shadow/update/accepted': [],
    '$aws/things/T/shadow/get/+': [],
    '$aws/things/T/shadow/delete/#': [],
    '$aws/things/T/shadow/name/n/get/+': [],
    '$aws/things/T/shadow/name/n/update/delta/x': [],
    '$aws/things/+/shadow/update/delta': [],
    '$aws/things/T/jobs/#': [],
    '$aws/#': [],
    '#': [],
  };
  for (const [filter, interests] of Object.entries(cases)) {
    expect([filter, deltaInterests(filter)]).toEqual([filter, interests]);
    expect([filter, isShadowFilter(filter)]).toEqual([filter, interests.length > 0]);
  }
});

test('a refusal without asking the shadows has the token, where there is one', () => {
  const text = (payload: Uint8Array) => JSON.parse(Buffer.from(payload).toString());
  const throttled = throttledShadow('$aws/things/T/shadow/get', Buffer.from('{"clientToken":"a\\"b"}'), 5_000);
  expect(throttled.topic).toBe('$aws/things/T/shadow/get/rejected');
  expect(text(throttled.payload)).toEqual({ code: 429, message: 'Too many requests', timestamp: 5, clientToken: 'a"b' });
  const failed = failedShadow('$aws/things/T/shadow/update', new Uint8Array(), 5_000);
  expect(text(failed.payload)).toEqual({ code: 500, message: 'Internal service failure', timestamp: 5 });
});
