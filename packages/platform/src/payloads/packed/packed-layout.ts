import { SelsynError } from '../../kernel/errors.ts';
import { decimalOf } from '../float32.ts';

/** What one item of a layout reads: `read(view, at)`. */
export interface PackedItem {
  readonly code: string;
  readonly offset: number;
  readonly bytes: number;
  readonly kind: 'integer' | 'float' | 'boolean' | 'text';
  read(view: DataView, at: number): number | boolean | string;
}

export interface PackedLayout {
  readonly bytes: number;
  /** Without the padding. */
  readonly items: readonly PackedItem[];
}

export const MAX_LAYOUT = 256;
const MAX_ITEMS = 256;
const MAX_BYTES = 65_536;

type Reader = (view: DataView, at: number, little: boolean) => number | boolean;

/** Of Python's struct, with its standard sizes; no alignment. */
const CODES: Readonly<Record<string, readonly [bytes: number, kind: PackedItem['kind'], read: Reader]>> = {
  b: [1, 'integer', (view, at) => view.getInt8(at)],
  B: [1, 'integer', (view, at) => view.getUint8(at)],
  '?': [1, 'boolean', (view, at) => view.getUint8(at) !== 0],
  h: [2, 'integer', (view, at, little) => view.getInt16(at, little)],
  H: [2, 'integer', (view, at, little) => view.getUint16(at, little)],
  i: [4, 'integer', (view, at, little) => view.getInt32(at, little)],
  I: [4, 'integer', (view, at, little) => view.getUint32(at, little)],
  l: [4, 'integer', (view, at, little) => view.getInt32(at, little)],
  L: [4, 'integer', (view, at, little) => view.getUint32(at, little)],
  q: [8, 'integer', (view, at, little) => Number(view.getBigInt64(at, little))],
  Q: [8, 'integer', (view, at, little) => Number(view.getBigUint64(at, little))],
  e: [2, 'float', (view, at, little) => view.getFloat16(at, little)],
  f: [4, 'float', (view, at, little) => decimalOf(view.getFloat32(at, little))],
  d: [8, 'float', (view, at, little) => view.getFloat64(at, little)],
};

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads a layout as Python's struct writes it (docs.python.org/3/library/struct.html), with the standard sizes:
 *
 *   > or !   most significant byte first        b B h H i I l L q Q   signed and unsigned: 1, 2, 4, 4, 8 bytes
 *   < or =   least significant byte first       e f d                 floats of 2, 4, 8 bytes
 *                                               ?                     1 byte: false is 0
 *   3f is fff; x is a byte without meaning      8s                    8 bytes of UTF-8; zeros at the end do not count
 *
 * @throws SelsynError `request.invalid`
 */
export function parseLayout(text: string): PackedLayout {
  if (text.length > MAX_LAYOUT) throw invalid(`a layout has at most ${MAX_LAYOUT} characters`);
  const order = text.charAt(0);
  if (!'<>!='.includes(order) || order === '') {
    throw invalid('a layout begins with > (most significant byte first) or < (least significant byte first)');
  }
  const little = order === '<' || order === '=';
  const items: PackedItem[] = [];
  let offset = 0;
  const body = text.slice(1).replaceAll(' ', '');
  for (const match of body.matchAll(/(\d*)(\D)/gy)) {
    const [whole, digits = '', code = ''] = match;
    const count = digits === '' ? 1 : Number(digits);
    if (count > MAX_BYTES) throw invalid(`${whole} is more than a message can have`);
    if (code === 'x') offset += count;
    else if (code === 's') {
      items.push(textItem(offset, count));
      offset += count;
    } else {
      const known = Object.hasOwn(CODES, code) ? CODES[code] : undefined;
      if (known === undefined) throw invalid(`a layout has no "${code}"`);
      const [bytes, kind, read] = known;
      for (let left = count; left > 0; left--) {
        if (items.length >= MAX_ITEMS) break;
        items.push({ code, offset, bytes, kind, read: (view, at) => read(view, at, little) });
        offset += bytes;
      }
      if (items.length >= MAX_ITEMS) throw invalid(`a layout has fewer than ${MAX_ITEMS} items`);
    }
    if (offset > MAX_BYTES) throw invalid(`a layout has at most ${MAX_BYTES} bytes`);
  }
  if (!/^(\d*\D)*$/.test(body)) throw invalid('a layout does not end with a number');
  if (items.length === 0) throw invalid('the layout has no item');
  return { bytes: offset, items };
}

function textItem(offset: number, bytes: number): PackedItem {
  const read = (view: DataView, at: number): string => {
    let end = bytes;
    while (end > 0 && view.getUint8(at + end - 1) === 0) end--;
    return utf8.decode(new Uint8Array(view.buffer, view.byteOffset + at, end));
  };
  return { code: 's', offset, bytes, kind: 'text', read };
}

function invalid(reason: string): SelsynError {
  return new SelsynError('request.invalid', reason, { details: { field: 'layout' } });
}
