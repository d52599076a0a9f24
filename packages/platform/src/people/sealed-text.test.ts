import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { SealedText } from './sealed-text.ts';

const open = (purpose = 'p', secret = 's') => new SealedText({ secret, purpose, random: randomBytes });

test('what was sealed opens, shows nothing, and is different each time', () => {
  const sealed = open();
  const one = sealed.seal('some text ü');
  expect(sealed.open(one)).toBe('some text ü');
  expect(Buffer.from(one, 'base64url').includes('some text')).toBe(false);
  expect(sealed.seal('some text ü')).not.toBe(one);
});

test('what was changed, or sealed for another purpose or by another server, does not open', () => {
  const text = open().seal('some text');
  const bytes = Buffer.from(text, 'base64url');
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(open().open(changed.toString('base64url'))).toBeUndefined();
    expect(open().open(bytes.subarray(0, at).toString('base64url'))).toBeUndefined();
  }
  expect(open('q').open(text)).toBeUndefined();
  expect(open('p', 't').open(text)).toBeUndefined();
  expect(open().open('x'.repeat(1_000_000))).toBeUndefined();
});
