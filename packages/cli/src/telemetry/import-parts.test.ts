import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CliError } from '../cli-error.ts';
import { type ImportPart, parquetParts, textParts } from './import-parts.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'selsyn-import-parts-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function fileOf(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function all(parts: AsyncIterable<ImportPart>): Promise<{ text: string; rows: number }[]> {
  const found = [];
  for await (const { bytes, rows } of parts) found.push({ text: new TextDecoder().decode(bytes), rows });
  return found;
}

test('of a CSV file that has no rows the line that names the columns is sent, so that it is told what is wrong with it', async () => {
  expect(await all(textParts(fileOf('a.csv', 'garbage\n'), 'csv', 0))).toEqual([{ text: 'garbage\n', rows: 0 }]);
});

test('rows come with the line that names the columns, once', async () => {
  const file = fileOf('a.csv', 'device,t\nd,1\nd,2');
  expect(await all(textParts(file, 'csv', 0))).toEqual([{ text: 'device,t\nd,1\nd,2', rows: 2 }]);
});

test('a file that is no Parquet is refused in one line that names it', async () => {
  const file = fileOf('a.parquet', 'PAR1 is how it begins, and there is no more of it');
  const failure: unknown = await all(parquetParts(file, 0)).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(CliError);
  expect((failure as CliError).message).toMatch(/^\S+a\.parquet cannot be read as Parquet: .+$/);
});
