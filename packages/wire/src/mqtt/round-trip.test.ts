import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arbitraryConnect, arbitraryPacket } from './arbitrary-packets.ts';
import { decodeAll } from './decode-all.ts';
import { encodePacket } from './encoder.ts';

/** Cuts bytes into chunks of these sizes, in turn. */
function cut(bytes: Uint8Array, sizes: readonly number[]): readonly Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 3000 })), {
  minLength: 1,
  maxLength: 6,
});

describe.each([4, 5] as const)('version %d', (version) => {
  test.each(['client', 'server'] as const)('what a %s sends comes back as it was, however it is cut', (from) => {
    fc.assert(
      fc.property(fc.array(arbitraryPacket(version, from), { minLength: 1, maxLength: 5 }), sizes, (packets, chunkSizes) => {
        const bytes = Buffer.concat(packets.map((packet) => encodePacket(packet, version)));
        expect(decodeAll(cut(bytes, chunkSizes), { version, from })).toEqual(packets);
      }),
      { numRuns: 400 },
    );
  });

  test('a CONNECT comes back as it was, however it is cut', () => {
    fc.assert(
      fc.property(arbitraryConnect(version), sizes, (packet, chunkSizes) => {
        expect(decodeAll(cut(encodePacket(packet, version), chunkSizes), { from: 'client' })).toEqual([packet]);
      }),
      { numRuns: 400 },
    );
  });
});
