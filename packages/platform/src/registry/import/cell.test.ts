import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readCell, readTagsCell, readTextCell, writeCell, writeTextCell } from './cell.ts';

test('a cell is a number only if it is written as one is; truth values and JSON are what they say', () => {
  expect(['7', '-1.5', '007', '1.50', '12345678901234567890', '1e3', 'NaN'].map(readCell)).toEqual([
    7,
    -1.5,
    '007',
    '1.50',
    '12345678901234567890',
    '1e3',
    'NaN',
  ]);
  expect(['true', 'null', '[1,"a"]', '"1.5"', '{"a":1}', '[draft] x', ''].map(readCell)).toEqual([
    true,
    null,
    [1, 'a'],
    '1.5',
    { a: 1 },
    '[draft] x',
    undefined,
  ]);
});

test('every value comes back from its cell, also after the space around it was taken away', () => {
  const value = fc.oneof(
    fc.string(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((number) => !Object.is(number, -0)),
    fc.boolean(),
    fc.constant(null),
    fc.array(fc.string()),
    fc.string().map(String),
    fc.constantFrom(' x ', '1.5', 'true', '"quoted"', '=1+1', '-2', '@a', '', '{', '\tx'),
  );
  fc.assert(
    fc.property(value, (each) => {
      expect(readCell(writeCell(each).trim())).toEqual(each);
    }),
  );
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (text) => {
      expect(readTextCell(writeTextCell(text).trim())).toBe(text);
    }),
  );
});

test('no text is written so that a spreadsheet would run it as a formula', () => {
  for (const text of ['=cmd()', '+1+1', '-1+1', '@sum(a1)', '\t=1', '\r=1']) {
    expect(writeCell(text)).toMatch(/^"/);
    expect(writeTextCell(text)).toMatch(/^"/);
  }
});

test('tags are separated by what people separate them with', () => {
  expect(readTagsCell('a b,c; d|e')).toEqual(['a', 'b', 'c', 'd', 'e']);
});
