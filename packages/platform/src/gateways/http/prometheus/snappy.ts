import { SelsynError } from '../../../kernel/errors.ts';

/*
 * Snappy's block format (google/snappy, format_description.txt):
 *
 *   block    = length *element                      length: varint of the unpacked bytes, at most 2^32 - 1
 *   literal  = tag(00, n-1 or 60..63) [1..4 bytes n-1, little-endian] n bytes
 *   copy     = tag(01, len-4 in 3 bits, offset's high 3 bits) byte            4..11 bytes
 *            / tag(10, len-1) 2 bytes offset                                  1..64 bytes
 *            / tag(11, len-1) 4 bytes offset
 */

/** How many bytes a block says that it has, unpacked. @throws SelsynError `request.invalid` */
export function unpackedBytes(packed: Uint8Array): number {
  return headOf(packed).length;
}

/** @param maxBytes unpacked @throws SelsynError `request.too-large`, `request.invalid` */
export function unpackSnappy(packed: Uint8Array, maxBytes: number): Uint8Array {
  const { length, end } = headOf(packed);
  let at = end;
  const byte = (): number => {
    const value = packed[at];
    if (value === undefined) throw broken();
    at++;
    return value;
  };
  const littleEndian = (bytes: number): number => {
    let value = 0;
    for (let i = 0; i < bytes; i++) value += byte() * 2 ** (8 * i);
    return value;
  };
  if (length > maxBytes) {
    throw new SelsynError('request.too-large', `a body has at most ${maxBytes} bytes, unpacked`, { details: { maxBytes } });
  }
  const out = new Uint8Array(length);
  let size = 0;
  while (at < packed.length) {
    const tag = byte();
    const kind = tag & 3;
    const upper = tag >>> 2;
    if (kind === 0) {
      const bytes = upper < 60 ? upper + 1 : littleEndian(upper - 59) + 1;
      if (bytes > packed.length - at || bytes > length - size) throw broken();
      out.set(packed.subarray(at, at + bytes), size);
      at += bytes;
      size += bytes;
      continue;
    }
    const bytes = kind === 1 ? (upper & 7) + 4 : upper + 1;
    const offset = kind === 1 ? ((tag >>> 5) << 8) + byte() : littleEndian(kind === 2 ? 2 : 4);
    if (offset === 0 || offset > size || bytes > length - size) throw broken();
    // Byte by byte: what is copied may be what was copied just now.
    for (let i = 0; i < bytes; i++, size++) out[size] = out[size - offset]!;
  }
  if (size !== length) throw broken();
  return out;
}

/** The length, and where it ends. */
function headOf(packed: Uint8Array): { readonly length: number; readonly end: number } {
  let length = 0;
  for (let at = 0; at < 5; at++) {
    const value = packed[at];
    if (value === undefined) throw broken();
    length += (value & 0x7f) * 2 ** (7 * at);
    if (value < 0x80) return { length, end: at + 1 };
  }
  throw broken();
}

function broken(): SelsynError {
  return new SelsynError('request.invalid', 'the body is not packed with snappy');
}
