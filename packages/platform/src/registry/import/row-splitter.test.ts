import { stringify } from 'csv-stringify/sync';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_ROW_BYTES } from './device-import.ts';
import { nextRow, type RowForm } from './row-splitter.ts';

const CSV: RowForm = { format: 'csv', delimiter: 0x2c };
const LINES: RowForm = { format: 'jsonl' };

function split(text: string | Uint8Array, form: RowForm, isLast = true): string[] {
  const bytes = Buffer.from(text);
  const rows: string[] = [];
  let at = 0;
  for (;;) {
    const row = nextRow(bytes, at, form, isLast);
    if (row === undefined) return rows;
    rows.push(bytes.toString('utf8', row.start, row.end));
    at = row.end;
  }
}

test('a line feed within quotes ends no row of CSV, one in a line of JSON does', () => {
  expect(split('a,"x\ny"\nb,c\n', CSV)).toEqual(['a,"x\ny"\n', 'b,c\n']);
  expect(split('{"a":1}\n\n{"b":2}', LINES)).toEqual(['{"a":1}\n', '\n', '{"b":2}']);
});

test('a quote counts only where a field begins; two within are one', () => {
  expect(split('5" pipe,x\ny,z\n', CSV)).toEqual(['5" pipe,x\n', 'y,z\n']);
  expect(split('"a""\nb",x\ny\n', CSV)).toEqual(['"a""\nb",x\n', 'y\n']);
});

test('what has no end yet is no row, but for the last', () => {
  expect(split('a,b\nc,', CSV, false)).toEqual(['a,b\n']);
  expect(split('a,b\nc,', CSV)).toEqual(['a,b\n', 'c,']);
  expect(split('', CSV)).toEqual([]);
});

test('a quote that is never closed costs its own line, not the file', () => {
  const rows = split(`a,"open\n${'b,c\n'.repeat(40_000)}`, CSV);
  expect(rows.slice(0, 2)).toEqual(['a,"open\n', 'b,c\n']);
  expect(rows).toHaveLength(40_001);
});

test('a line without an end is told of once it is too long', () => {
  const bytes = Buffer.alloc(MAX_ROW_BYTES * 2, 'x');
  expect(nextRow(bytes, 0, LINES, false)).toEqual({ start: 0, end: bytes.length, isTooLong: true });
});

test('any CSV is cut into the rows that were written, wherever its bytes are divided', () => {
  const cell = fc.oneof(
    fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', ' ', 'é'), maxLength: 6 }),
    fc.string({ maxLength: 5 }),
  );
  const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(table, fc.nat(), (rows, cut) => {
      const written = rows.map((row) => stringify([row], { quoted: row.some((each) => /["\r\n,]/.test(each)) }));
      const bytes = Buffer.from(written.join(''));
      expect(split(bytes, CSV)).toEqual(written);
      const at = cut % (bytes.length + 1);
      const first = split(bytes.subarray(0, at), CSV, false);
      const rest = split(bytes.subarray(Buffer.byteLength(first.join(''))), CSV);
      expect([...first, ...rest]).toEqual(written);
    }),
  );
});
