import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSelsynError } from '../../kernel/errors.ts';
import { decodeChunk, encodeChunk } from './chunk-codec.ts';

function everySecond(count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => 1_700_000_000_000 + i * 1000);
}

/** Steps of any size up to `step`, in a fixed order that looks random. */
function walk(count: number, step: number, scale: number): Float64Array {
  let value = 2351;
  return Float64Array.from({ length: count }, (_, i) => (value += Math.imul(i + 1, 0x9e3779b1) % step) / scale);
}

describe('corrupt bytes', () => {
  const irregular = everySecond(300).map((time, i) => time + (i % 7) + (i > 200 ? 1e10 : 0));
  const chunks: readonly (readonly [string, Uint8Array])[] = [
    ['decimals', encodeChunk(irregular, walk(300, 5, 100), 300)],
    ['exceptions', encodeChunk(irregular, walk(300, 5, 100).map((value, i) => (i % 50 === 0 ? NaN : i % 50 === 1 ? 1e9 : value)), 300)],
    ['true doubles', encodeChunk(irregular, Float64Array.from({ length: 300 }, (_, i) => Math.sin(i)), 300)],
    ['repeats', encodeChunk(irregular, new Float64Array(300).fill(0.1 + 0.2), 300)],
    ['booleans', encodeChunk(irregular, Array.from({ length: 300 }, (_, i) => i % 3 === 0), 300)],
    ['texts', encodeChunk(irregular, Array.from({ length: 300 }, (_, i) => `état ${Math.floor(i / 40)}`), 300)],
    ['odd texts', encodeChunk(irregular, Array.from({ length: 300 }, (_, i) => (i % 2 === 0 ? '\ud800' : i)), 300)],
    ['coded steps', encodeChunk(irregular, walk(300, 5, 100), 300, { smallest: true })],
    ['coded values', encodeChunk(everySecond(300), walk(300, 5, 100).map((_, i) => (i * i) % 7), 300, { smallest: true })],
    ['a coded constant', encodeChunk(everySecond(300), new Float64Array(300).fill(7), 300, { smallest: true })],
    ['times far apart', encodeChunk(Float64Array.of(-(2 ** 53) + 1, 5, 2 ** 53 - 1), Float64Array.of(1, 2, 3), 3)],
  ]; // prettier-ignore

  /** Decodes, or throws `data.corrupt`; nothing else. @returns whether it was decoded. */
  function survives(bytes: Uint8Array): boolean {
    try {
      const { count, times, values } = decodeChunk(bytes);
      expect(times).toHaveLength(count);
      expect(values).toHaveLength(count);
      for (let i = 1; i < count; i++) if (!(times[i]! > times[i - 1]!)) expect.fail('times do not ascend');
      for (const value of values) if (!['number', 'boolean', 'string'].includes(typeof value)) expect.fail('a value is none');
      if (count > 0 && !(Number.isSafeInteger(times[0]) && Number.isSafeInteger(times[count - 1])))
        expect.fail('times are out of range');
      return true;
    } catch (error) {
      if (!isSelsynError(error, 'data.corrupt')) throw error;
      return false;
    }
  }

  it.each(chunks)('of %s are refused when anything is missing or follows', (_, bytes) => {
    for (let length = 0; length < bytes.length; length++) expect(survives(bytes.subarray(0, length))).toBe(false);
    expect(survives(Uint8Array.of(...bytes, 0))).toBe(false);
    expect(survives(bytes)).toBe(true);
  });

  it.each(chunks)('of %s with a bit flipped in each byte give an error or points', (_, bytes) => {
    for (let bit = 0; bit < bytes.length * 8; bit += 3) {
      const flipped = bytes.slice();
      flipped[bit >>> 3]! ^= 1 << (bit & 7);
      survives(flipped);
    }
  });

  it('at random give an error or points', () => {
    const chunk = fc.constantFrom(...chunks.map(([, bytes]) => bytes));
    const change = fc.tuple(fc.nat({ max: 2000 }), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(chunk, fc.array(change, { minLength: 1, maxLength: 6 }), (bytes, changes) => {
        const changed = bytes.slice();
        for (const [at, byte] of changes) changed[at % changed.length] = byte;
        survives(changed);
      }),
      { numRuns: 5000 },
    );
    const header = fc.tuple(fc.constant(1), fc.nat({ max: 3 }));
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 200 }), (head, rest) => void survives(Uint8Array.of(...head, ...rest))),
      { numRuns: 5000 },
    );
  });

  const oneTime = '00 00 00 00 00 00 f0 3f';
  it.each<[string, string, string]>([
    ['a width beyond 32', `01 00 02 ${oneTime} 21 02`, 'impossible width'],
    ['a patch beyond its block', `01 00 02 ${oneTime} 80 02 01 01 02 30`, 'patch lies outside'],
    ['a time beyond 2^53', '01 00 02 ff ff ff ff ff ff 3f 43 00 02 30', 'last time is out of range'],
    ['a first time that is no integer', '01 00 01 00 00 00 00 00 00 e0 3f 30', 'first time is no integer'],
    ['an exponent beyond 12', `01 00 01 ${oneTime} 0d 00 00`, 'impossible exponent'],
    ['an exception beyond its block', `01 00 01 ${oneTime} 40 00 00 01 01 ${oneTime}`, 'exception lies outside'],
    ['no window', `01 00 01 ${oneTime} 20 01 00 00`, 'no window'],
    ['a window beyond 64 bits', `01 00 01 ${oneTime} 20 ff 3f 00 00 00 00 00 00 00 00`, 'window is too wide'],
    ['a coded head of nothing known', `01 02 01 00 ${oneTime} 20 00 02`, 'impossible head'],
    ['a coded exponent beyond 12', `01 02 01 00 ${oneTime} 0d 00 02`, 'impossible head'],
    ['shares that are not all', `01 02 02 01 ${oneTime} 00 01 00 00 00 00`, 'impossible shares'],
    ['a share that is too large', `01 02 02 01 ${oneTime} 00 01 00 80 20 00 00`, 'impossible share'],
    ['a state that is too low', `01 02 02 01 ${oneTime} 00 01 00 fe 1f 00 00 ff ff 00 00`, 'impossible state'],
    ['a state that is too high', `01 02 02 01 ${oneTime} 00 01 00 fe 1f 00 00 00 00 00 80`, 'impossible state'],
    ['a stream of other points', `01 02 02 01 ${oneTime} 00 01 00 fe 1f 00 00 00 00 80 10`, 'do not end'],
    ['a first regular time that is no integer', '01 02 02 01 00 00 00 00 00 00 e0 3f 00 00 02', 'first time is no integer'],
    ['a last regular time beyond 2^53', '01 02 02 01 ff ff ff ff ff ff 3f 43 00 00 02', 'last time is out of range'],
    ['an empty dictionary', `01 01 01 ${oneTime} 00`, 'impossible size'],
    ['more distinct values than points', `01 01 01 ${oneTime} 02 00 01 00 00`, 'impossible size'],
    ['an index beyond its dictionary', `01 01 03 ${oneTime} 00 02 03 00 01 02 ${oneTime} 00 3f`, 'index lies outside'],
    ['a run of nothing known', `01 01 02 ${oneTime} 00 02 02 00 01 01 02 01`, 'run in it is impossible'],
    ['a run beyond the points', `01 01 02 ${oneTime} 00 02 02 00 01 01 00 02`, 'run in it is impossible'],
    ['an unknown tag', `01 01 01 ${oneTime} 01 05 00`, 'tag 5'],
    ['an unknown form', `01 01 02 ${oneTime} 00 02 02 00 01 02 00`, 'form 2'],
    ['half a UTF-16 unit', `01 01 01 ${oneTime} 01 04 01 41`, 'half a unit'],
    ['a text that is not UTF-8', `01 01 01 ${oneTime} 01 03 01 ff`, 'not UTF-8'],
  ])('with %s are refused', (_, text, message) => {
    const bytes = Uint8Array.from(text.split(' '), (byte) => Number.parseInt(byte, 16));
    expect(() => decodeChunk(bytes)).toThrow(message);
    expect(survives(bytes)).toBe(false);
  });

  it('are refused where they fill the memory they are read from', () => {
    // The reader keeps 64 KiB, 64 of them for padding: a loop that ran on behind such a chunk would leave its memory.
    const count = 24_000;
    for (const values of [
      Float64Array.from({ length: count }, (_, i) => Math.sqrt(i)),
      walk(count, 2 ** 30, 1),
      Array.from({ length: count }, (_, i) => i % 9000 === 0 || `${i}`),
    ]) {
      const bytes = encodeChunk(everySecond(count), values, count);
      expect(bytes.length).toBeGreaterThan(65_536);
      for (let length = 65_452; length <= 65_472; length++) expect(survives(bytes.subarray(0, length))).toBe(false);
    }
  });

  it('allocate for no more points than a chunk can have', () => {
    expect(() => decodeChunk(Uint8Array.of(1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f))).toThrow('points are too many');
    expect(() => decodeChunk(Uint8Array.of(2, 0, 0))).toThrow('version 2');
    expect(() => decodeChunk(Uint8Array.of(1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))).toThrow('too long');
  });
});
