import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DerError, DerReader, readTime, readWhole } from './der-reader.ts';
import { der, generalizedTime, objectId, sequence, smallInteger, TAG, time, unsignedInteger } from './der-writer.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

describe('DER', () => {
  it.each([
    ['02 01 00', smallInteger(0)],
    ['02 01 7f', smallInteger(127)],
    ['02 02 00 80', smallInteger(128)],
    ['02 07 1f ff ff ff ff ff ff', smallInteger(Number.MAX_SAFE_INTEGER)],
    ['02 01 05', unsignedInteger(bytes('000005'))],
    ['02 01 00', unsignedInteger(bytes(''))],
    ['06 06 2a 86 48 86 f7 0d', objectId('1.2.840.113549')],
    ['06 03 55 04 03', objectId('2.5.4.3')],
    ['17 0d 34 39 31 32 33 31 32 33 35 39 35 39 5a', time(Date.UTC(2049, 11, 31, 23, 59, 59, 999))],
    ['18 0f 32 30 35 30 30 31 30 31 30 30 30 30 30 30 5a', time(Date.UTC(2050, 0, 1))],
    ['18 0f 32 30 32 37 30 31 30 31 30 30 30 30 30 30 5a', generalizedTime(Date.UTC(2027, 0, 1))],
  ])('is written as %s', (expected, written) => {
    expect(written.toString('hex')).toBe(bytes(expected).toString('hex'));
  });

  it('has lengths of any size, which are read back', () => {
    for (const size of [0, 127, 128, 255, 256, 65_535, 65_536, 16_777_216]) {
      const whole = der(TAG.octetString, Buffer.alloc(size, 7));
      const read = new DerReader(whole).next(TAG.octetString);
      expect([read.content.length, read.whole.length]).toEqual([size, whole.length]);
    }
  });

  it.each([
    ['no length', '30'],
    ['an indefinite length', '30 80 00 00'],
    ['a length in more bytes than it takes', '04 81 01 00'],
    ['a length with a leading zero', '04 82 00 80'],
    ['a length in five bytes', '04 85 00 00 00 00 01 00'],
    ['a length beyond the end', '04 03 01 02'],
    ['a tag of several bytes', '1f 81 01 00'],
  ])('with %s is not read', (_, hex) => {
    expect(() => new DerReader(bytes(hex)).next()).toThrow(DerError);
  });

  it.each([
    ['an empty integer', '02 00'],
    ['an integer with a byte too many', '02 02 00 7f'],
    ['a negative integer with a byte too many', '02 02 ff 80'],
    ['a negative integer', '02 01 80'],
  ])('with %s is not read as a number', (_, hex) => {
    expect(() => new DerReader(bytes(hex)).unsigned()).toThrow(DerError);
  });

  it('is read to its end, and no further', () => {
    expect(() => readWhole(Buffer.concat([sequence(), Buffer.of(0)]))).toThrow(DerError);
    expect(() => readWhole(smallInteger(1))).toThrow(DerError);
    const reader = readWhole(sequence(smallInteger(1), smallInteger(2)));
    reader.unsigned();
    expect(() => reader.end()).toThrow(DerError);
    expect(reader.optional(TAG.null)).toBeUndefined();
    expect([...reader.unsigned()]).toEqual([2]);
    expect(reader.done).toBe(true);
  });

  it('times read back as they were written, to the second', () => {
    fc.assert(
      fc.property(fc.integer({ min: Date.UTC(1950, 0, 1), max: Date.UTC(9999, 11, 31) }), (ms) => {
        expect(readTime(new DerReader(time(ms)).next())).toBe(Math.floor(ms / 1_000) * 1_000);
      }),
    );
    for (const text of ['271301000000Z', '270101000000', '2701010000Z', '270101000000+0100'])
      expect(() => readTime(new DerReader(der(TAG.utcTime, Buffer.from(text))).next())).toThrow(DerError);
    expect(() => readTime(new DerReader(smallInteger(5)).next())).toThrow(DerError);
  });
});
