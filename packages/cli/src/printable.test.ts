import { expect, test } from 'vitest';
import { printable, printableBytes } from './printable.ts';

test('what a client chose moves no cursor and hides nothing', () => {
  expect(printable('a\u001b[2Jb\nc\td\u0000\u007f\u009b')).toBe('a\\u{1b}[2Jb\\nc\\td\\u{0}\\u{7f}\\u{9b}');
  expect(printable('right\u202eleft\u2028')).toBe('right\\u{202e}left\\u{2028}');
});

test('ordinary text of any language stays as it is', () => {
  expect(printable('Köln/温度/🌡')).toBe('Köln/温度/🌡');
});

test('bytes that are no UTF-8 are shown one by one', () => {
  expect(printableBytes(Buffer.from('{"t":"grün"}'))).toBe('{"t":"grün"}');
  expect(printableBytes(Uint8Array.of(0x41, 0xff, 0x00, 0x0a))).toBe('A\\xff\\x00\\x0a');
  expect(printableBytes(new Uint8Array())).toBe('');
});
