import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { keyIdOf, openValue, sealValue, type SealContext } from './sealed-value.ts';

const KEY = { id: '0123456789abcdef', bytes: randomBytes(32) };
const PLACE: SealContext = { purpose: 'device-secret', owner: 'sensor1', name: 'wifi' };

test('what was sealed opens in its place, and is another text each time', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (value) => {
      const [one, other] = [sealValue(value, KEY, PLACE, randomBytes), sealValue(value, KEY, PLACE, randomBytes)];
      expect(one).not.toBe(other);
      expect(keyIdOf(one)).toBe(KEY.id);
      expect([...openValue(one, KEY, PLACE)]).toEqual([...value]);
    }),
  );
});

test('one changed bit, a cut, or an addition, anywhere, and it does not open', () => {
  const sealed = sealValue(Buffer.from('a secret'), KEY, PLACE, randomBytes);
  const [head, body] = [sealed.slice(0, 20), Buffer.from(sealed.slice(20), 'base64url')];
  for (let bit = 0; bit < body.length * 8; bit += 1) {
    const changed = Buffer.from(body);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(() => openValue(head + changed.toString('base64url'), KEY, PLACE)).toThrow(/was changed/);
  }
  for (let length = 0; length < body.length; length += 1) {
    expect(() => openValue(head + body.subarray(0, length).toString('base64url'), KEY, PLACE)).toThrow(/was changed/);
  }
  for (const text of ['', 'v1', `${sealed}A`, sealed.replace('v1', 'v2'), sealed.replace(KEY.id, 'f'.repeat(16))]) {
    expect(() => openValue(text, KEY, PLACE)).toThrow(/was changed/);
  }
});

test('it opens nowhere else: not for another device, name or purpose, also where the parts run together', () => {
  const sealed = sealValue(Buffer.from('a secret'), KEY, PLACE, randomBytes);
  for (const place of [
    { ...PLACE, owner: 'sensor2' },
    { ...PLACE, name: 'Wifi' },
    { ...PLACE, purpose: 'server-secret' },
    { ...PLACE, owner: 'sensor', name: '1wifi' },
    { ...PLACE, owner: 'sensor1","wifi', name: '' },
  ]) {
    expect(() => openValue(sealed, KEY, place)).toThrow(/belongs to another place/);
  }
  expect(() => openValue(sealed, { ...KEY, bytes: randomBytes(32) }, PLACE)).toThrow(/was changed/);
});
