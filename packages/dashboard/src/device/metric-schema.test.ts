import { expect, it } from 'vitest';
import { isOutOfRange, rangeWords } from './metric-schema.ts';

const point = { metric: 't', timeMs: 1 };
const schema = { metric: 't', unit: '°C', min: 0, max: 50 };

it('a value is out of range where the type says so, also one that the live feed brought without a mark', () => {
  expect(isOutOfRange({ ...point, value: 51 }, schema)).toBe(true);
  expect(isOutOfRange({ ...point, value: 50 }, schema)).toBe(false);
  expect(isOutOfRange({ ...point, value: -1 }, { ...schema, min: undefined })).toBe(false);
  expect(isOutOfRange({ ...point, value: 'x', isOutOfRange: true }, schema)).toBe(false);
});

it('without the type the mark of the server counts', () => {
  expect(isOutOfRange({ ...point, value: 51, isOutOfRange: true }, undefined)).toBe(true);
  expect(isOutOfRange({ ...point, value: 51 }, undefined)).toBe(false);
});

it('says a range in words', () => {
  expect(rangeWords(schema)).toBe('0 … 50 °C');
  expect(rangeWords({ ...schema, min: undefined, unit: undefined })).toBe('at most 50');
  expect(rangeWords({ ...schema, max: undefined })).toBe('at least 0 °C');
});
