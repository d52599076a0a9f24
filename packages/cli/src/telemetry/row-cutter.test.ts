import { expect, test } from 'vitest';
import { lastRow, placeOfRow, RowCounter, type RowFormat, wholeRows } from './row-cutter.ts';

const CSV =
  'device,metric,time,value,text,flag\na,t,2026-11-01T00:00:00.005Z,1.5,,\na,"""=odd, m""",2026-11-01T00:00:01.000Z,,"two\nlines",\nb,t,2026-11-01T00:00:02.000Z,,,true\n';
const JSONL =
  '{"device":"a","metric":"t","ts":5,"value":1.5}\n{"device":"a","metric":"x\\"y","ts":6,"value":"{\\"device\\":\\"z\\""}\n{"device":"b","metric":"t","ts":7,"value":true}\n';

test.each<[RowFormat, string, number]>([
  ['csv', CSV, 4],
  ['jsonl', JSONL, 3],
])('whole rows of %s end where rows end, wherever the bytes do', (format, text, rows) => {
  const bytes = Buffer.from(text);
  expect(wholeRows(bytes, format)).toEqual({ end: bytes.length, rows });
  const ends = Array.from({ length: bytes.length + 1 }, (_, length) => wholeRows(bytes.subarray(0, length), format).end);
  expect(new Set(ends).size).toBe(rows + 1);
  for (const end of ends) expect(wholeRows(bytes.subarray(0, end), format).end).toBe(end);
});

test('the last row says which point it is of', () => {
  const at = Date.UTC(2026, 10, 1);
  const place = (text: string, format: RowFormat) =>
    placeOfRow(Buffer.from(lastRow(Buffer.from(text), format)).toString(), format);
  const rows = (text: string, count: number) => text.slice(0, [...text.matchAll(/\n(?!lines)/g)][count - 1]!.index + 1);
  expect([1, 2, 3, 4].map((count) => place(rows(CSV, count), 'csv'))).toEqual([
    undefined,
    ['a', 't', at + 5],
    ['a', '=odd, m', at + 1000],
    ['b', 't', at + 2000],
  ]);
  expect(placeOfRow('a,"""half",1970-01-01T00:00:00.001Z,1,,', 'csv')).toEqual(['a', '"half', 1]);
  expect([1, 2, 3].map((count) => place(rows(JSONL, count), 'jsonl'))).toEqual([
    ['a', 't', 5],
    ['a', 'x"y', 6],
    ['b', 't', 7],
  ]);
});

test.each<[RowFormat, string, number]>([
  ['csv', CSV.slice(CSV.indexOf('\n') + 1), 3],
  ['jsonl', JSONL, 3],
])('rows and devices of %s are counted as they come, in pieces of any size', (format, text, rows) => {
  for (let size = 1; size < 60; size += 1) {
    const counter = new RowCounter(format);
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += size) counter.add(bytes.subarray(at, at + size));
    expect([counter.rows, counter.devices]).toEqual([rows, 2]);
  }
});
