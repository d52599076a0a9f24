import { expect, it } from 'vitest';
import { attributePaths, mergePatch } from './attribute-paths.ts';

it('names each attribute by the path that a filter takes', () => {
  expect(attributePaths({ fw: { version: '2.1', beta: true }, slots: [1, 2], empty: {}, none: null })).toEqual([
    ['fw.version', '2.1'],
    ['fw.beta', 'true'],
    ['slots', '[1,2]'],
    ['empty', '{}'],
    ['none', 'null'],
  ]);
});

it('says only what is different, and null for what is gone', () => {
  const before = { site: { room: 'R1', floor: 2 }, serial: 'S1', slots: [1] };
  expect(mergePatch(before, { site: { room: 'R2' }, slots: [1], owner: 'x' })).toEqual({
    site: { room: 'R2', floor: null },
    serial: null,
    owner: 'x',
  });
  expect(mergePatch(before, before)).toEqual({});
  expect(mergePatch({ a: { b: 1 } }, { a: 2 })).toEqual({ a: 2 });
});
