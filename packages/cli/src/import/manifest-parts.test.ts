import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type ManifestPart, partsOfManifest } from './manifest-parts.ts';

async function* chunksOf(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

async function cut(text: string, format: 'csv' | 'jsonl', size: number, chunk = 7): Promise<ManifestPart[]> {
  const parts: ManifestPart[] = [];
  for await (const part of partsOfManifest(chunksOf(text, chunk), { format, size })) parts.push(part);
  return parts;
}

const textOf = ({ bytes }: ManifestPart) => Buffer.from(bytes).toString();

it('parts are whole lines, CSV with its first line in each, and know how many rows came before', async () => {
  const parts = await cut('serial\n111\n222\n333\n444', 'csv', 8, 1);
  expect(parts.map(textOf)).toEqual(['serial\n111\n222\n', 'serial\n333\n444']);
  expect(parts.map(({ rowsBefore }) => rowsBefore)).toEqual([0, 2]);
  expect(parts.at(-1)?.readBytes).toBe(22);
});

it('together they are the file, however they are cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.stringMatching(/^[a-z]{0,9}$/), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 40 }),
      async (lines, size, chunk) => {
        const text = lines.join('\n');
        expect((await cut(text, 'jsonl', size, chunk)).map(textOf).join('')).toBe(text);
        const csv = (await cut(`serial\n${text}`, 'csv', size, chunk)).map(textOf);
        expect(csv.map((part) => part.replace(/^serial\n/, '')).join('')).toBe(text);
      },
    ),
  );
});

it('an empty file is one part, so that the server says what is wrong with it', async () => {
  expect((await cut('', 'csv', 8)).map(textOf)).toEqual(['']);
  expect((await cut('serial', 'csv', 8)).map(textOf)).toEqual(['serial']);
});

it('what has no lines is no manifest', async () => {
  await expect(cut('x'.repeat(2_000_000), 'csv', 8, 100_000)).rejects.toThrow('is it a manifest?');
  await expect(cut('x'.repeat(2_000_000), 'jsonl', 8, 100_000)).rejects.toThrow('is it a manifest?');
});
