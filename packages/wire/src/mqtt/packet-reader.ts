import { malformed } from './mqtt-error.ts';
import { decodeUtf8 } from './utf8-string.ts';
import { variableByteIntegerLength } from './variable-byte-integer.ts';

/**
 * Reads the fields of one packet in order. Nothing is read past the packet's end: each method throws MqttError 0x81 where the field
 * does not fit.
 */
export class PacketReader {
  readonly #bytes: Uint8Array;
  #at: number;
  #end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get at(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  u16(): number {
    const at = this.#take(2);
    return (this.#bytes[at]! << 8) | this.#bytes[at + 1]!;
  }

  u32(): number {
    return this.u16() * 65_536 + this.u16();
  }

  /** 0 to 268,435,455, in as few bytes as it needs [MQTT-1.5.5-1]. */
  variableByteInteger(): number {
    const start = this.#at;
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.u8();
      value |= (byte & 0x7f) << shift;
      if (byte > 127) continue;
      if (this.#at - start !== variableByteIntegerLength(value))
        throw malformed('[MQTT-1.5.5-1]', 'A length is not in its shortest form');
      return value;
    }
    throw malformed('[MQTT-1.5.5]', 'A variable byte integer has more than four bytes');
  }

  string(): string {
    const length = this.u16();
    const at = this.#take(length);
    return length === 0 ? '' : decodeUtf8(this.#bytes, at, at + length);
  }

  /** A copy, so that it outlives the chunk. */
  binary(): Uint8Array {
    const length = this.u16();
    const at = this.#take(length);
    return copyBytes(this.#bytes, at, at + length);
  }

  /** A reader of the next `length` bytes; this one goes on behind them. */
  section(length: number): PacketReader {
    const at = this.#take(length);
    return new PacketReader(this.#bytes, at, at + length);
  }

  expectEnd(): void {
    if (this.#at !== this.#end) throw malformed('[MQTT-2.1.4]', 'A packet has bytes behind its last field');
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) throw malformed('[MQTT-2.1.4]', 'A packet ends within a field');
    this.#at = at + length;
    return at;
  }
}

/** A copy of `bytes[start, end)` with memory of its own (`Buffer.slice` would share it). */
export function copyBytes(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start);
  copy.set(bytes.subarray(start, end));
  return copy;
}
