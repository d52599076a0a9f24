import { expect, test } from 'vitest';
import { chunksOf } from './statement-chunks.ts';

test.each([0, 1, 2, 10, 11, 100, 101, 500, 501, 1200])('%i keys are all there, in chunks of four sizes', (count) => {
  const keys = Array.from({ length: count }, (_, i) => i);
  const chunks = [...chunksOf(keys)];
  expect([...new Set(chunks.flat())]).toEqual(keys);
  for (const { length } of chunks) expect([1, 10, 100, 500]).toContain(length);
});
