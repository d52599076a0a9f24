import { expect, test } from 'vitest';
import { source } from '../../log.contract.ts';
import { SourceCache } from './source-cache.ts';
import { encodedSource } from './source-codec.ts';

function intern(cache: SourceCache, device: string): object {
  const bytes = Buffer.from(encodedSource(source(device, 't')));
  return cache.intern(bytes, 0, bytes.length);
}

test('gives the same object for the same bytes, for many sources', () => {
  const cache = new SourceCache(10_000);
  const first = Array.from({ length: 5000 }, (_, i) => intern(cache, `d${i}`));
  expect(new Set(first).size).toBe(5000);
  expect(Array.from({ length: 5000 }, (_, i) => intern(cache, `d${i}`)).every((one, i) => one === first[i])).toBe(true);
});

test('keeps what is in use when it forgets others', () => {
  const cache = new SourceCache(10);
  const kept = intern(cache, 'kept');
  const forgotten = intern(cache, 'forgotten');
  for (let i = 0; i < 1000; i += 1) {
    intern(cache, `other ${i}`);
    expect(intern(cache, 'kept')).toBe(kept);
  }
  expect(intern(cache, 'forgotten')).not.toBe(forgotten);
});

test('tells sources with the same hash apart', () => {
  const cache = new SourceCache(10);
  const [a, b] = ['a', 'b'].map((device) => Buffer.from(encodedSource(source(device, 't'))));
  for (const bytes of [a!, b!]) bytes.fill(0, 0, 4);
  expect(cache.intern(a!, 0, a!.length)).not.toBe(cache.intern(b!, 0, b!.length));
  expect(cache.intern(a!, 0, a!.length).device).toBe('a');
  expect(cache.intern(b!, 0, b!.length).device).toBe('b');
});
