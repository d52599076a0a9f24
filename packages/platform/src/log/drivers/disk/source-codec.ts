import { crc32c } from '@node-rs/crc32';
import type { DeviceId } from '../../../kernel/device-id.ts';
import { SelsynError } from '../../../kernel/errors.ts';
import { RecordSource } from '../../log.ts';

/** Bytes before the device: its hash and its length. The layout is drawn in frame.ts. */
const HEAD_BYTES = 5;

/**
 * The encoded form of a source, worked out once and kept on it.
 *
 * @throws SelsynError `request.too-large` when the device or the topic is longer than the format allows.
 */
export function encodedSource(source: RecordSource): Uint8Array {
  if (source.encoded !== undefined) return source.encoded;
  const deviceBytes = Buffer.byteLength(source.device);
  const topicBytes = Buffer.byteLength(source.topic);
  if (deviceBytes > 0xff || topicBytes > 0xffff) {
    throw new SelsynError('request.too-large', 'a device id has at most 255 bytes and a topic 65,535', {
      details: { deviceBytes, topicBytes },
    });
  }
  const encoded = Buffer.alloc(HEAD_BYTES + deviceBytes + 2 + topicBytes);
  encoded.writeUInt8(deviceBytes, 4);
  encoded.write(source.device, HEAD_BYTES);
  encoded.writeUInt16LE(topicBytes, HEAD_BYTES + deviceBytes);
  encoded.write(source.topic, HEAD_BYTES + deviceBytes + 2);
  encoded.writeUInt32LE(crc32c(encoded.subarray(4)), 0);
  source.encoded = encoded;
  return encoded;
}

/** Where the source that starts at `start` ends, or -1 when it would reach beyond `limit`. */
export function sourceEnd(bytes: Uint8Array, start: number, limit: number): number {
  const topicAt = start + HEAD_BYTES + (start + 4 < limit ? bytes[start + 4]! : 0);
  if (topicAt + 2 > limit) return -1;
  const end = topicAt + 2 + (bytes[topicAt]! | (bytes[topicAt + 1]! << 8));
  return end > limit ? -1 : end;
}

/** Reads the source in `bytes[start, end)` as `sourceEnd` has measured it. */
export function decodeSource(bytes: Buffer, start: number, end: number): RecordSource {
  const deviceEnd = start + HEAD_BYTES + bytes[start + 4]!;
  // The device was checked when its record was appended, and the frame's CRC has held since.
  const device = bytes.toString('latin1', start + HEAD_BYTES, deviceEnd) as DeviceId;
  const source = new RecordSource(device, bytes.toString('utf8', deviceEnd + 2, end));
  source.encoded = Uint8Array.prototype.slice.call(bytes, start, end);
  return source;
}
