import { utf8Length, utf8LengthExceeds } from '../topics/utf8-length.ts';
import { malformed } from './mqtt-error.ts';

/**
 * The text of `bytes[start, end)`. A U+FEFF is kept wherever it stands [MQTT-1.5.4-3].
 * @throws MqttError 0x81 for overlong forms, surrogates, values above U+10FFFF, cut sequences [MQTT-1.5.4-1] and U+0000 [MQTT-1.5.4-2].
 */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  let text: string;
  try {
    text = decoder.decode(bytes.subarray(start, end));
  } catch {
    throw malformed('[MQTT-1.5.4-1]', 'A string is not well-formed UTF-8');
  }
  if (text.includes('\0')) throw malformed('[MQTT-1.5.4-2]', 'A string has a U+0000');
  return text;
}

/**
 * The bytes that a string takes behind its two bytes of length.
 * @throws MqttError 0x81 where it cannot be an MQTT string.
 */
export function checkedUtf8Length(text: string): number {
  if (!text.isWellFormed()) throw malformed('[MQTT-1.5.4-1]', 'A string to be sent has a lone surrogate');
  if (text.includes('\0')) throw malformed('[MQTT-1.5.4-2]', 'A string to be sent has a U+0000');
  if (utf8LengthExceeds(text, 65_535)) throw malformed('[MQTT-1.5.4]', 'A string to be sent is longer than 65,535 bytes');
  return utf8Length(text);
}

/** Writes a string whose length was checked, without its two bytes of length, and returns where it ends. */
export function writeUtf8(into: Uint8Array, at: number, text: string): number {
  return at + encoder.encodeInto(text, into.subarray(at)).written;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
