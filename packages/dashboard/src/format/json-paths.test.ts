import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leavesOf, objectWith, parsePath, pathText, valueAt } from './json-paths.ts';

describe('paths into JSON', () => {
  it('lead to each value, with a list and an empty object as one value', () => {
    const json = { mode: 'eco', fan: { speed: 2, steps: [1, { a: 2 }] }, none: {} };
    expect(leavesOf(json)).toEqual([
      [['mode'], 'eco'],
      [['fan', 'speed'], 2],
      [
        ['fan', 'steps'],
        [1, { a: 2 }],
      ],
      [['none'], {}],
    ]);
    expect(valueAt(json, ['fan', 'speed'])).toBe(2);
    expect(valueAt(json, ['mode', 'length'])).toBeUndefined();
    expect(valueAt(json, ['toString'])).toBeUndefined();
    expect(objectWith(['fan', 'speed'], 3)).toEqual({ fan: { speed: 3 } });
  });

  it('are read back from their text, whatever the keys are', () => {
    expect(pathText(['fan', 'speed'])).toBe('fan.speed');
    expect(pathText(['10.0.0.1', 'port'])).toBe('"10.0.0.1".port');
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1, maxLength: 4 }), (path) => {
        expect(parsePath(pathText(path))).toEqual(path);
      }),
    );
  });

  it.each(['', '.', 'a.', '.a', 'a..b', '"a', '"a"b', 'a."b'])('are not in %j', (text) => {
    expect(parsePath(text)).toBeUndefined();
  });
});
