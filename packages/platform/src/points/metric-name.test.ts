import fc from 'fast-check';
import { expect, test } from 'vitest';
import { metricName, partsOfName } from './metric-name.ts';

test('a name tells its labels in one order', () => {
  expect(metricName('cpu.usage', [['host', 'a'], ['cpu', '0']])).toBe('cpu.usage;cpu=0;host=a'); // prettier-ignore
  expect(metricName('a;b', [['x=y', '1;2=3\\']])).toBe('a\\;b;x\\=y=1\\;2=3\\\\');
  expect(partsOfName('temperature')).toEqual({ base: 'temperature', labels: [] });
  expect(partsOfName('odd;name')).toEqual({ base: 'odd;name', labels: [] });
});

test('the parts of a name are those that it was made of', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', ';', '=', '\\', 'é'), minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(text, fc.uniqueArray(fc.tuple(text, text), { maxLength: 4, selector: ([label]) => label }), (base, labels) => {
      const parts = partsOfName(metricName(base, labels));
      expect(parts.base).toBe(base);
      expect(new Map(parts.labels)).toEqual(new Map(labels));
    }),
    { numRuns: 2000 },
  );
});
