import { expect, test } from 'vitest';
import type { OutgoingSample } from './delivery.ts';
import { linesOf } from './line-protocol.ts';

function lines(device: string, offset: number, ...samples: readonly OutgoingSample[]): string {
  return linesOf({ partition: 0, offset, arrivalMs: 5, device, topic: 't', payload: Buffer.alloc(0), samples }, 'my tele,metry');
}

test('writes a line a sample, with everything escaped that means something', () => {
  expect(
    lines('d:1', 0, {
      timeMs: 1_700_000_000_123,
      isAssigned: false,
      values: { 'a b,c=d': 1.5, on: true, text: 'a "b" \\ c', e: 1e21 },
    }),
  ).toBe('my\\ tele\\,metry,device=d:1 a\\ b\\,c\\=d=1.5,on=true,text="a \\"b\\" \\\\ c",e=1e+21 1700000000123000000\n');
});

test('gives samples without a time of their own one that no other has, and always the same', () => {
  const sample = { timeMs: 1_700_000_000_000, isAssigned: true, values: { n: 1 } };
  expect(lines('d', 7, sample)).toContain(' 1700000000000000007\n');
  expect(lines('d', 1_000_008, sample)).toContain(' 1700000000000000008\n');
});

test('knows the beginning of time', () => {
  expect(lines('d', 0, { timeMs: 0, isAssigned: false, values: { n: 1 } })).toMatch(/ n=1 0\n$/);
});
