import type { PacketUse } from '../../bus.ts';

/**
 * Packets that cross to another thread together, in one buffer that is handed over without a copy:
 *
 * ```
 *   entry  = use (1 byte: 0 deliver, 1 retain) | length (4 bytes, little-endian) | packet
 *   batch  = entry, entry, ...
 * ```
 */
export class PacketBatch {
  #bytes = new Uint8Array(INITIAL_BYTES);
  #length = 0;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  add(use: PacketUse, packet: Uint8Array): void {
    const end = this.#length + HEADER_BYTES + packet.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    new DataView(this.#bytes.buffer).setUint32(this.#length + 1, packet.length, true);
    this.#bytes[this.#length] = use === 'retain' ? 1 : 0;
    this.#bytes.set(packet, this.#length + HEADER_BYTES);
    this.#length = end;
  }

  /** Takes out what was added; the buffer is the caller's. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytes = new Uint8Array(INITIAL_BYTES);
    this.#length = 0;
    return taken;
  }
}

/** Calls `each` for the packets of a batch, in order. */
export function readBatch(batch: Uint8Array, each: (use: PacketUse, packet: Uint8Array) => void): void {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  let at = 0;
  while (at < batch.length) {
    const start = at + HEADER_BYTES;
    const end = start + view.getUint32(at + 1, true);
    each(batch[at] === 1 ? 'retain' : 'deliver', batch.subarray(start, end));
    at = end;
  }
}

const INITIAL_BYTES = 4_096;
/** Bytes that an entry takes besides its packet. */
export const HEADER_BYTES = 5;
