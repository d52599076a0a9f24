import fc from 'fast-check';
import { expect, test } from 'vitest';
import { intersectSpans, joinSpans, subtractSpans, type TimeSpan } from './time-spans.ts';

const spans = fc.array(
  fc.tuple(fc.nat(20), fc.nat(6)).map(([fromMs, length]): TimeSpan => ({ fromMs, toMs: fromMs + length })),
  { maxLength: 6 },
);
const has = (list: readonly TimeSpan[], ms: number): boolean => list.some(({ fromMs, toMs }) => ms >= fromMs && ms < toMs);

test('Joined, subtracted and intersected spans have exactly the times that they should, ascending', () => {
  fc.assert(
    fc.property(spans, spans, (a, b) => {
      const [left, right] = [joinSpans(a), joinSpans(b)];
      const [without, both] = [subtractSpans(left, right), intersectSpans(left, right)];
      for (let ms = -1; ms < 30; ms++) {
        expect([has(left, ms), has(without, ms), has(both, ms)]).toEqual([
          has(a, ms),
          has(a, ms) && !has(b, ms),
          has(a, ms) && has(b, ms),
        ]);
      }
      for (const list of [left, without, both]) {
        expect(list.every(({ fromMs, toMs }, i) => fromMs < toMs && (i === 0 || list[i - 1]!.toMs <= fromMs))).toBe(true);
      }
    }),
  );
});

test('Spans without an end stay so', () => {
  expect(subtractSpans([{ fromMs: -Infinity, toMs: Infinity }], [{ fromMs: 0, toMs: 5 }])).toEqual([
    { fromMs: -Infinity, toMs: 0 },
    { fromMs: 5, toMs: Infinity },
  ]);
});
