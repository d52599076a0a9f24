import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8Length, utf8LengthExceeds } from './utf8-length.ts';

test('the length is that of the encoded bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(100), (text, limit) => {
      const bytes = new TextEncoder().encode(text).length;
      expect(utf8Length(text)).toBe(bytes);
      expect(utf8LengthExceeds(text, limit)).toBe(bytes > limit);
    }),
  );
});
