import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkJsonDepth, MAX_JSON_LEVELS } from './json-depth.ts';

const nested = (levels: number, open: string, close: string): string => open.repeat(levels) + close.repeat(levels);

test('as deep as may be passes, one level more does not', () => {
  for (const [open, close] of [
    ['[', ']'],
    ['{"a":', '}'],
  ] as const) {
    expect(() => checkJsonDepth(nested(MAX_JSON_LEVELS, open, close))).not.toThrow();
    expect(() => checkJsonDepth(nested(MAX_JSON_LEVELS + 1, open, close))).toThrow(
      expect.objectContaining({ code: 'request.invalid' }),
    );
  }
});

test('what stands side by side, or in texts, is not deep', () => {
  expect(() => checkJsonDepth(`[${'[],{},'.repeat(1_000)}0]`)).not.toThrow();
  expect(() => checkJsonDepth(JSON.stringify({ a: '[{'.repeat(1_000), b: '"[\\"'.repeat(1_000), '[[[': '\\' }))).not.toThrow();
  expect(() => checkJsonDepth('"[[[')).not.toThrow();
});

test('it says of any JSON what a walk through it says', () => {
  const depthOf = (value: unknown): number =>
    typeof value !== 'object' || value === null ? 0 : 1 + Math.max(0, ...Object.values(value).map(depthOf));
  const wrapped = fc.tuple(fc.jsonValue(), fc.integer({ min: 55, max: 66 }), fc.boolean());
  fc.assert(
    fc.property(wrapped, ([inner, levels, inArrays]) => {
      let value: unknown = inner;
      for (let level = 0; level < levels; level++) value = inArrays ? [value, '"]'] : { 'a{': value };
      const isDeep = depthOf(value) > MAX_JSON_LEVELS;
      if (isDeep) expect(() => checkJsonDepth(JSON.stringify(value))).toThrow();
      else checkJsonDepth(JSON.stringify(value, undefined, 1));
    }),
  );
});
