import { expect, test } from 'vitest';
import { OpenAuthorizer } from './open-authorizer.ts';
import { NO_EXCEPTIONS, parseOpenPolicy } from './open-policy.ts';

async function clientUnder(policy: string) {
  return await new OpenAuthorizer(parseOpenPolicy(policy)).authenticate({ username: undefined });
}

test('an empty policy has no exceptions', async () => {
  expect(parseOpenPolicy('')).toBe(NO_EXCEPTIONS);
  expect(parseOpenPolicy(' {} ')).toEqual({ denySubscribe: [], denyPublish: [] });
  const client = await clientUnder('');
  expect([client.mayPublish('a'), client.maySubscribe('#'), client.mayReceive('$SYS/uptime')]).toEqual([true, true, true]);
});

test('a subscription is refused where all that it could bring is denied, shared or not', async () => {
  const client = await clientUnder('{"denySubscribe":["a/b","x/#"]}');
  for (const filter of ['a/b', '$share/g/a/b', 'x', 'x/+', 'x/#', 'x/+/y/#', '$share/g/x/1']) {
    expect([filter, client.maySubscribe(filter)]).toEqual([filter, false]);
  }
  for (const filter of ['a/+', '#', 'a/b/c', 'a/b/#', 'a', '+/#', 'xx', '$share/g/a/+', '$share/a/b']) {
    expect([filter, client.maySubscribe(filter)]).toEqual([filter, true]);
  }
  expect(client.mayPublish('a/b')).toBe(true);
});

test('what is denied is kept away also where a wider subscription was granted', async () => {
  const client = await clientUnder('{"denySubscribe":["a/b","x/#"]}');
  for (const topic of ['a/b', 'x', 'x/1/2']) expect([topic, client.mayReceive(topic)]).toEqual([topic, false]);
  for (const topic of ['a/c', 'a/b/c', 'xx', 'y/x']) expect([topic, client.mayReceive(topic)]).toEqual([topic, true]);
});

test('publishing is denied by topic, and only that', async () => {
  const client = await clientUnder('{"denyPublish":["x/+"]}');
  expect([client.mayPublish('x/1'), client.mayPublish('x'), client.mayPublish('x/1/2')]).toEqual([false, true, true]);
  expect([client.maySubscribe('x/1'), client.mayReceive('x/1')]).toEqual([true, true]);
});

test.each([
  ['{', /^is not JSON: /],
  ['[]', /^must hold one JSON object/],
  ['"a/b"', /^must hold one JSON object/],
  ['null', /^must hold one JSON object/],
  ['{"denySubscrib":["a"]}', /unknown list denySubscrib: there are denySubscribe and denyPublish$/],
  ['{"__proto__":["a"]}', /unknown list __proto__/],
  ['{"toString":["a"]}', /unknown list toString/],
  ['{"denySubscribe":"a/b"}', /a list of topic filters under denySubscribe$/],
  ['{"denyPublish":{}}', /a list of topic filters under denyPublish$/],
  ['{"denyPublish":["a","a/#/b"]}', /has "a\/#\/b" under denyPublish, which is not a topic filter$/],
  ['{"denyPublish":[1]}', /has 1 under denyPublish/],
  ['{"denySubscribe":[""]}', /has "" under denySubscribe/],
  ['{"denySubscribe":["$share/g/a"]}', /has "\$share\/g\/a" under denySubscribe/],
  [
    JSON.stringify({ denyPublish: Array.from({ length: 1_001 }, (_, i) => `t/${i}`) }),
    /more than 1000 topic filters under denyPublish$/,
  ],
])('%.60s is refused, and told why', (text, message) => {
  expect(() => parseOpenPolicy(text)).toThrow(
    expect.objectContaining({ code: 'config.invalid', message: expect.stringMatching(message) }),
  );
});
