import { expect, test } from 'vitest';
import { BatchSize } from './batch-size.ts';
import { Breathing } from './breathing.ts';
import { FakeClock } from '../../kernel/fake-clock.ts';

test('batches grow while they are quick, step by step, and shrink at once when they are slow, within bounds', () => {
  const size = new BatchSize();
  const first = size.rows;
  size.took(first, 10);
  expect(size.rows).toBe(Math.round(first * 1.25));
  for (let turn = 0; turn < 20; turn += 1) size.took(size.rows, 1);
  expect(size.rows).toBe(2000);
  size.took(2000, 120);
  expect(size.rows).toBe(1500);
  for (let turn = 0; turn < 20; turn += 1) size.took(size.rows, 10_000);
  expect(size.rows).toBe(500);
  size.took(0, 5);
  expect(size.rows).toBe(500);
});

test('others have the thread between two statements, once they have waited long enough', async () => {
  const clock = new FakeClock();
  const breathing = new Breathing(clock);
  let others = 0;
  setImmediate(() => (others += 1));
  await breathing.transformResult({ result: { rows: [] } });
  expect(others).toBe(0);
  clock.advance(8);
  await breathing.transformResult({ result: { rows: [] } });
  expect(others).toBe(1);
});
