import { DuckDBInstance } from '@duckdb/node-api';
import { expect, test } from 'vitest';
import { ALLOWED_FUNCTIONS, ALLOWED_TABLE_FUNCTIONS, REFUSED_FUNCTIONS, REFUSED_PREFIXES } from './allowed-functions.ts';

test('Of every function of the engine somebody has said whether a query may call it', async () => {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const names = await connection.runAndReadAll(
    "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type NOT IN ('pragma')",
  );
  const unknown = names
    .getRows()
    .map(([name]) => String(name))
    .filter(
      (name) =>
        !ALLOWED_FUNCTIONS.has(name) &&
        !ALLOWED_TABLE_FUNCTIONS.has(name) &&
        !REFUSED_FUNCTIONS.has(name) &&
        !REFUSED_PREFIXES.some((prefix) => name.startsWith(prefix)),
    );
  connection.closeSync();
  instance.closeSync();
  expect(unknown.sort()).toEqual([]);
});

test('No function is both allowed and refused', () => {
  expect([...ALLOWED_FUNCTIONS, ...ALLOWED_TABLE_FUNCTIONS].filter((name) => REFUSED_FUNCTIONS.has(name))).toEqual([]);
});
