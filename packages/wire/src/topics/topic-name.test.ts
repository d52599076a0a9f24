import { expect, test } from 'vitest';
import { isValidTopicName, MAX_TOPIC_BYTES } from './topic-name.ts';

test.each(['a', '/', '//', 'a/b', '/a', 'a/', 'telemetry/sensor123', '$SYS/x', 'a b', 'ü/€/😀', '\uFEFFa'])(
  'accepts the name %j',
  (name) => {
    expect(isValidTopicName(name)).toBe(true);
  },
);

test.each(['', '+', '#', 'a/+', 'a/#', 'a+b', 'a#', 'a\0b', '\ud800', 'a/\udc00/b'])('refuses the name %j', (name) => {
  expect(isValidTopicName(name)).toBe(false);
});

test('counts the length of a name in UTF-8 bytes', () => {
  expect(isValidTopicName('a'.repeat(MAX_TOPIC_BYTES))).toBe(true);
  expect(isValidTopicName('a'.repeat(MAX_TOPIC_BYTES + 1))).toBe(false);
  expect(isValidTopicName('ü'.repeat(32_767))).toBe(true);
  expect(isValidTopicName('ü'.repeat(32_768))).toBe(false);
});
