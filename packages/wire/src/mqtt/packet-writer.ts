import { malformed, MqttError } from './mqtt-error.ts';
import { ReasonCode } from './reason-codes.ts';
import { checkedUtf8Length, writeUtf8 } from './utf8-string.ts';
import { MAX_VARIABLE_BYTE_INTEGER, variableByteIntegerLength, writeVariableByteInteger } from './variable-byte-integer.ts';

/**
 * Writes the fields of a packet in order. Without a buffer it only measures, so that the same code first finds the size and then
 * fills a buffer of exactly that size.
 */
export class PacketWriter {
  readonly #into: Uint8Array | undefined;
  #at: number;

  constructor(into?: Uint8Array, at = 0) {
    this.#into = into;
    this.#at = at;
  }

  /** Where the next field goes; of a measuring writer, the size so far. */
  get at(): number {
    return this.#at;
  }

  u8(value: number): void {
    this.#whole(value, 0xff);
    if (this.#into !== undefined) this.#into[this.#at] = value;
    this.#at++;
  }

  u16(value: number): void {
    this.#whole(value, 0xffff);
    if (this.#into !== undefined) writeU16(this.#into, this.#at, value);
    this.#at += 2;
  }

  u32(value: number): void {
    this.#whole(value, 0xffff_ffff);
    if (this.#into !== undefined) {
      writeU16(this.#into, this.#at, value >>> 16);
      writeU16(this.#into, this.#at + 2, value);
    }
    this.#at += 4;
  }

  variableByteInteger(value: number): void {
    this.#whole(value, MAX_VARIABLE_BYTE_INTEGER);
    if (this.#into !== undefined) writeVariableByteInteger(this.#into, this.#at, value);
    this.#at += variableByteIntegerLength(value);
  }

  /** @throws MqttError 0x81 where it cannot be an MQTT string. */
  string(text: string): void {
    if (this.#into === undefined) {
      this.#at += 2 + checkedUtf8Length(text);
      return;
    }
    const end = writeUtf8(this.#into, this.#at + 2, text);
    writeU16(this.#into, this.#at, end - this.#at - 2);
    this.#at = end;
  }

  /** At most 65,535 bytes behind two bytes of length. */
  binary(bytes: Uint8Array): void {
    this.u16(bytes.length);
    this.raw(bytes);
  }

  raw(bytes: Uint8Array): void {
    if (this.#into !== undefined) this.#into.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #whole(value: number, limit: number): void {
    if (!Number.isInteger(value) || value < 0 || value > limit) {
      throw malformed('[MQTT-1.5]', `A field to be sent is not a whole number of 0 to ${limit}`);
    }
  }
}

/**
 * One packet in a buffer of exactly its size. `writeBody` runs twice: to measure, then to write.
 * @throws MqttError 0x95 where the body is longer than any packet may be.
 */
export function writePacket(headerByte: number, writeBody: (writer: PacketWriter) => void): Uint8Array {
  const measure = new PacketWriter();
  writeBody(measure);
  const into = new Uint8Array(packetSize(measure.at));
  into[0] = headerByte;
  writeBody(new PacketWriter(into, writeVariableByteInteger(into, 1, measure.at)));
  return into;
}

/** The size of a packet whose fixed header announces `remainingLength` bytes. */
export function packetSize(remainingLength: number): number {
  if (remainingLength > MAX_VARIABLE_BYTE_INTEGER) {
    throw new MqttError(ReasonCode.packetTooLarge, '[MQTT-2.1.4]', 'A packet to be sent is longer than 268,435,455 bytes');
  }
  return 1 + variableByteIntegerLength(remainingLength) + remainingLength;
}

/** Writes the lower 16 bits of a value, high byte first. */
export function writeU16(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 8;
  into[at + 1] = value;
}
