import { expect, test } from 'vitest';
import { TextReader } from './text-reader.ts';

test('it reads what stands there also after the buffer of an earlier text was filled anew', () => {
  // Like a log reader, whose one buffer holds another text at the same place each time. Three letters make all
  // 256 slots of the cache collide many times.
  const reader = new TextReader(1024);
  const wrong: string[] = [];
  const buffer = Buffer.alloc(5, '"');
  for (let number = 0; number < 26 ** 3; number++) {
    for (let i = 0; i < 3; i++) buffer[1 + i] = 0x61 + (Math.floor(number / 26 ** i) % 26);
    const written = buffer.toString('latin1', 1, 4);
    const text = reader.read(buffer, 0, 5);
    if (text !== written) wrong.push(`${written} was read as ${text}`);
  }
  expect(wrong).toEqual([]);
});

test('a short text that comes again is the same string; escapes and broken UTF-8 are left to JSON.parse', () => {
  const reader = new TextReader(1024);
  const read = (text: string): string | undefined => reader.read(Buffer.from(text), 0, Buffer.byteLength(text));
  expect([read('"idle"'), read('"run"'), read('"idle"')]).toEqual(['idle', 'run', 'idle']);
  expect(reader.end).toBe(6);
  expect(read('"a\\n"')).toBeUndefined();
  expect(read('"open')).toBeUndefined();
  expect(reader.read(Uint8Array.of(0x22, 0xff, 0x22), 0, 3)).toBeUndefined();
});
