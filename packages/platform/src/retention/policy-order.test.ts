import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isWithin, lineageOf } from '../registry/group-path.ts';
import { metricMatcher, PolicyOrder } from './policy-order.ts';
import { DEFAULT_KEEP, LEVELS, type KeepDays, type Level, type RetentionPolicy } from './retention-policy.ts';

const days = fc.option(fc.integer({ min: 1, max: 20 }), { nil: null, freq: 4 });
const keepDays: fc.Arbitrary<KeepDays> = fc.record({ raw: days, hourly: days, daily: days, archive: days }, { requiredKeys: [] });
const conditions = fc.record(
  {
    deviceType: fc.constantFrom('meter', 'pump'),
    group: fc.constantFrom('/', '/a', '/a/b', '/c'),
    metric: fc.constantFrom('temp', 'temp.in', 'temp*', '*', 'temp.*', '*.in'),
  },
  { requiredKeys: [] },
);
const policies = fc
  .uniqueArray(conditions, { selector: (each) => JSON.stringify([each.deviceType, each.group, each.metric]), maxLength: 8 })
  .chain((found) =>
    fc
      .tuple(...found.map((each) => keepDays.map((kept) => ({ ...each, keepDays: kept }))))
      .map((all) => all.map((each, index): RetentionPolicy => ({ name: `p${index}`, updatedAtMs: 0, ...each }))),
  );
const place = fc.record({
  deviceType: fc.constantFrom('meter', 'pump', undefined),
  group: fc.constantFrom('/', '/a', '/a/b', '/a/b/c', '/c'),
  metric: fc.constantFrom('temp', 'temp.in', 'x'),
});

/** As the documentation says it, word by word. */
function naive(
  all: readonly RetentionPolicy[],
  at: { deviceType: string | undefined; group: string; metric: string },
): Record<Level, number> {
  const fits = all.filter(
    ({ deviceType, group, metric }) =>
      (deviceType === undefined || deviceType === at.deviceType) &&
      (group === undefined || isWithin(at.group, group)) &&
      (metric === undefined || new RegExp(`^${metric.replaceAll('.', '\\.').replaceAll('*', '.*')}$`).test(at.metric)),
  );
  const weight = ({ deviceType, group, metric, name }: RetentionPolicy): (number | string)[] => [
    -[deviceType, group, metric].filter((one) => one !== undefined).length,
    metric === undefined ? 2 : metric.includes('*') ? 1 : 0,
    -(metric ?? '').replaceAll('*', '').length,
    group === undefined ? 0 : -lineageOf(group).length,
    name,
  ];
  const sorted = fits.toSorted((a, b) => {
    const [x, y] = [weight(a), weight(b)];
    const index = x.findIndex((each, at) => each !== y[at]);
    return index < 0 ? 0 : x[index]! < y[index]! ? -1 : 1;
  });
  const said = (level: Level): number => {
    const kept = sorted.map((policy) => policy.keepDays[level]).find((one) => one !== undefined);
    const all = kept === undefined ? DEFAULT_KEEP[level] : kept;
    return all ?? Infinity;
  };
  const raw = said('raw');
  const hourly = Math.max(raw, said('hourly'));
  return { raw, hourly, daily: Math.max(hourly, said('daily')), archive: said('archive') };
}

test('gives every series what the most specific policies say, level by level', () => {
  fc.assert(
    fc.property(policies, fc.array(place, { minLength: 1, maxLength: 10 }), (all, places) => {
      const order = new PolicyOrder(all);
      for (const each of places) {
        const kept = order.keptOf(each);
        expect(Object.fromEntries(LEVELS.map((level) => [level, kept[level] ?? Infinity]))).toEqual(naive(all, each));
        // What is archived of a type is kept for at least as long as any series of it.
        expect(order.archiveDaysOfType(each.deviceType) ?? Infinity).toBeGreaterThanOrEqual(kept.archive ?? Infinity);
      }
    }),
  );
});

test('one class stands for all series that are kept alike', () => {
  const order = new PolicyOrder([{ name: 'm', metric: 'a', keepDays: { raw: 1 }, updatedAtMs: 0 }]);
  const at = (metric: string) => order.classOf({ deviceType: undefined, group: '/', metric });
  expect(at('b')).toBe(at('c'));
  expect(at('a')).not.toBe(at('b'));
  expect(order.classes).toHaveLength(2);
  expect([order.isUniform, order.isByMetricOnly]).toEqual([false, true]);
});

test('a metric with stars fits as a pattern does, however many there are', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 8 });
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(pattern, text, (metric, name) => {
      const expression = new RegExp(`^${metric.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
      expect(metricMatcher(metric)(name)).toBe(expression.test(name));
    }),
    { numRuns: 2000 },
  );
  expect(metricMatcher(`${'*a'.repeat(60)}b`)('a'.repeat(5000))).toBe(false);
});
