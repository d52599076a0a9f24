import { expect, it } from 'vitest';
import { cellText, isNumberType, markedLine, offsetOf, readFacts } from './sql-words.ts';

const SQL = 'SELECT device\nFROM telemetri\nWHERE 1';

it('marks the place of an error', () => {
  expect(markedLine(SQL, 2, 6)).toBe('FROM telemetri\n     ^');
  expect(markedLine(SQL, 9, 1)).toBeUndefined();
  expect(SQL.slice(offsetOf(SQL, 2, 6))).toBe('telemetri\nWHERE 1');
  expect(offsetOf(SQL, 9, 99)).toBe(SQL.length);
});

it('shows nulls as nothing and what is no text as JSON', () => {
  expect([null, 'a', 1.5, true, ['x'], { a: 1 }].map(cellText)).toEqual(['', 'a', '1.5', 'true', '["x"]', '{"a":1}']);
});

it('knows numbers from times', () => {
  expect(['DOUBLE', 'BIGINT', 'UTINYINT', 'INTEGER', 'DECIMAL(18,3)', 'HUGEINT', 'FLOAT'].every(isNumberType)).toBe(true);
  expect(['VARCHAR', 'TIMESTAMP', 'INTERVAL', 'BOOLEAN', 'POINT'].some(isNumberType)).toBe(false);
});

it('tells of what was read only what there was', () => {
  const none = { hotPoints: 0, storedPoints: 0, rollupRows: 0, archiveFiles: 0, archiveRows: 0, archiveBytes: 0, waitedMs: 0 };
  const known = { ...none, fromMs: undefined, toMs: undefined, devices: undefined, elapsedMs: 12 };
  expect(readFacts(known)).toEqual([['Took', '12 ms']]);
  expect(
    readFacts({ ...known, storedPoints: 1200, archiveFiles: 2, archiveRows: 9, archiveBytes: 2048 }).map(([name]) => name),
  ).toEqual(['Took', 'Stored points read', 'From the archive']);
});
