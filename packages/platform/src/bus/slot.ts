import { crc32 } from 'node:zlib';

/** A 1,024th of all client ids and retained topics: what is spread over threads and nodes, for ever the same for a name. */
export type Slot = number & { readonly brand: 'Slot' };

export const SLOTS = 1_024;

/**
 * crc32 (as of zlib) of the UTF-8 bytes, modulo 1,024. HAProxy reckons it by `crc32,mod(1024)`, to find the node of a client; its
 * `crc32(1)` is another function.
 */
export function slotOf(name: string): Slot {
  return (crc32(name) % SLOTS) as Slot;
}
