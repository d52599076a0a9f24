import { expect, test } from 'vitest';
import { ImportSource } from './import-source.ts';

async function* chunks(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function partOf(source: ImportSource, position: number, size: number): Promise<[string, boolean]> {
  const { bytes, isLast } = await source.part(position, size);
  return [Buffer.from(bytes).toString(), isLast];
}

test('gives the content from wherever the server has come to, and says which part is the last', async () => {
  const source = new ImportSource(chunks('abc', 'defg', 'h', 'ij'));
  expect(await partOf(source, 0, 4)).toEqual(['abcd', false]);
  expect(await partOf(source, 0, 4)).toEqual(['abcd', false]);
  expect(await partOf(source, 3, 4)).toEqual(['defg', false]);
  expect(await partOf(source, 7, 3)).toEqual(['hij', true]);
  expect(await partOf(source, 10, 3)).toEqual(['', true]);
});

test('passes over what is done, also where the stream begins in the middle of the content', async () => {
  expect(await partOf(new ImportSource(chunks('abc', 'def')), 4, 10)).toEqual(['ef', true]);
  expect(await partOf(new ImportSource(chunks('def'), 3), 4, 10)).toEqual(['ef', true]);
  await expect(new ImportSource(chunks('abc')).part(4, 10)).rejects.toThrow('shorter than what the server has taken');
  await expect(new ImportSource(chunks('def'), 3).part(2, 10)).rejects.toThrow('read already');
});

test('an empty content is one last part without bytes', async () => {
  expect(await partOf(new ImportSource(chunks()), 0, 10)).toEqual(['', true]);
});
