import { expect, test } from 'vitest';
import { ShadowCache } from './shadow-cache.ts';
import type { ShadowRow } from './shadow-rows.ts';

const row = (path: string, version = 1): ShadowRow => ({
  id: 1,
  path,
  version,
  history_id: 1,
  created_at_ms: 0,
  updated_at_ms: 0,
  deleted_at_ms: null,
  state: 'x'.repeat(300),
  details: 'x'.repeat(300),
});

test('what is used stays, what is not goes, and never more is kept than there is room for', () => {
  const cache = new ShadowCache(20_000);
  for (let round = 0; round < 1_000; round++) {
    const hot = cache.get('hot') ?? row('hot');
    cache.set(hot);
    cache.set(row(`cold-${round}`));
  }
  expect(cache.get('hot')).toBeDefined();
  const kept = Array.from({ length: 1_000 }, (_, round) => cache.get(`cold-${round}`)).filter((each) => each !== undefined);
  expect(kept.length).toBeGreaterThan(5);
  expect(kept.length).toBeLessThanOrEqual(20);
});

test('the newest row counts, wherever an older one is; what is forgotten is gone', () => {
  const cache = new ShadowCache(5_000);
  cache.set(row('a', 1));
  for (let other = 0; other < 3; other++) cache.set(row(`o${other}`));
  cache.set(row('a', 2));
  expect(cache.get('a')?.version).toBe(2);
  cache.forget('a');
  expect(cache.get('a')).toBeUndefined();
  const none = new ShadowCache(0);
  none.set(row('a'));
  none.set(row('b'));
  expect(none.get('a')).toBeUndefined();
});
