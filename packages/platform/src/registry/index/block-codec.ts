import { SelsynError } from '../../kernel/errors.ts';
import { BLOCK_BYTES, BLOCK_DEVICES, countBits, type DeviceSet } from './device-set.ts';

/*
 * A block of a posting as it is stored. Its length says which of the two it is:
 *
 *   fewer than 1,024 devices   0 - 2,046 bytes   the place of each in the block, ascending, 16 bits each, low byte first
 *   more                       2,048 bytes       bit n % 8 of byte n / 8 for device n
 */

const MAX_LISTED = BLOCK_BYTES / 2 - 1;
/** So few are faster added one by one than as a block. */
const MAX_SCATTERED = 128;

/** @returns an empty array for an empty block. */
export function encodeBlock(bits: Uint8Array<ArrayBuffer>): Uint8Array {
  const count = countBits(bits);
  if (count > MAX_LISTED) return bits;
  const list = new Uint8Array(count * 2);
  let length = 0;
  for (let byte = 0; byte < BLOCK_BYTES && length < list.length; byte++) {
    for (let rest = bits[byte]!, bit = 0; rest !== 0; rest >>= 1, bit++) {
      if ((rest & 1) === 0) continue;
      const place = byte * 8 + bit;
      list[length++] = place & 0xff;
      list[length++] = place >> 8;
    }
  }
  return list;
}

/** @throws SelsynError `data.corrupt` */
export function decodeBlock(stored: Uint8Array): Uint8Array<ArrayBuffer> {
  if (stored.length === BLOCK_BYTES) return new Uint8Array(stored);
  if (stored.length > BLOCK_BYTES || stored.length % 2 !== 0) throw corrupt();
  const bits = new Uint8Array(BLOCK_BYTES);
  for (let at = 0; at < stored.length; at += 2) {
    const place = stored[at]! + stored[at + 1]! * 256;
    if (place >= BLOCK_DEVICES) throw corrupt();
    bits[place >> 3] = bits[place >> 3]! | (1 << (place & 7));
  }
  return bits;
}

/** Joins the devices of a stored block. @throws SelsynError `data.corrupt` */
export function addStoredBlock(set: DeviceSet, at: number, stored: Uint8Array): void {
  if (stored.length > MAX_SCATTERED * 2) {
    set.addBlock(at, decodeBlock(stored));
    return;
  }
  if (stored.length % 2 !== 0) throw corrupt();
  for (let byte = 0; byte < stored.length; byte += 2) {
    const place = stored[byte]! + stored[byte + 1]! * 256;
    if (place >= BLOCK_DEVICES) throw corrupt();
    set.add(at * BLOCK_DEVICES + place);
  }
}

function corrupt(): SelsynError {
  return new SelsynError('data.corrupt', 'a posting of the registry does not have the form that this program writes');
}
