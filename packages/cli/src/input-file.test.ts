import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CliError } from './cli-error.ts';
import { readInput, readJson, readText } from './input-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'selsyn-input-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function fileOf(content: string | Uint8Array): string {
  const path = join(folder, 'input');
  writeFileSync(path, content);
  return path;
}

test('reads a file as bytes, as text and as JSON', () => {
  expect([...readInput(fileOf(Uint8Array.of(0, 255)))]).toEqual([0, 255]);
  expect(readText(fileOf('warm: 21 °C'))).toBe('warm: 21 °C');
  expect(readJson(fileOf('{"a":[1]}'))).toEqual({ a: [1] });
});

test('says of a file that it cannot be read, or that it is not JSON', () => {
  const path = fileOf('{"a"');
  expect(() => readJson(path)).toThrow(new RegExp(`^${path} is not JSON: `));
  const none = join(folder, 'none');
  for (const read of [readInput, readText, readJson]) {
    expect(() => read(none)).toThrow(CliError);
    expect(() => read(none)).toThrow(`${none} cannot be read: ENOENT`);
  }
});
