/** DER (X.690) as far as certificates need it: each function makes one whole TLV. */

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectId: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const;

/** A context-specific tag: `[n]` of something constructed, or EXPLICIT. */
export function contextTag(n: number): number {
  return 0xa0 | n;
}

/** `[n] IMPLICIT` of something primitive. */
export function primitiveContextTag(n: number): number {
  return 0x80 | n;
}

/** Tag, shortest length, contents one after the other. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  let sizeBytes = 0;
  for (const content of contents) sizeBytes += content.length;
  const header = headerOf(tag, sizeBytes);
  return contents.length === 1 && contents[0] !== undefined
    ? Buffer.concat([header, contents[0]], header.length + sizeBytes)
    : Buffer.concat([header, ...contents], header.length + sizeBytes);
}

/** The tag and length that stand in front of `sizeBytes` of content. */
export function headerOf(tag: number, sizeBytes: number): Buffer {
  if (sizeBytes < 0x80) return Buffer.from([tag, sizeBytes]);
  if (sizeBytes < 0x100) return Buffer.from([tag, 0x81, sizeBytes]);
  if (sizeBytes < 0x10000) return Buffer.from([tag, 0x82, sizeBytes >> 8, sizeBytes & 0xff]);
  if (sizeBytes < 0x1000000) return Buffer.from([tag, 0x83, sizeBytes >> 16, (sizeBytes >> 8) & 0xff, sizeBytes & 0xff]);
  return Buffer.from([tag, 0x84, sizeBytes >>> 24, (sizeBytes >> 16) & 0xff, (sizeBytes >> 8) & 0xff, sizeBytes & 0xff]);
}

export function sequence(...contents: readonly Uint8Array[]): Buffer {
  return der(TAG.sequence, ...contents);
}

/** A non-negative integer from its big-endian bytes: without leading zeros, but with one where the top bit is set. */
export function unsignedInteger(bytes: Uint8Array): Buffer {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  const digits = bytes.subarray(from);
  if (digits.length === 0) return Buffer.from([TAG.integer, 1, 0]);
  return (digits[0] ?? 0) >= 0x80 ? der(TAG.integer, Buffer.of(0), digits) : der(TAG.integer, digits);
}

/** A safe non-negative integer. */
export function smallInteger(value: number): Buffer {
  const hex = value.toString(16);
  return unsignedInteger(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'));
}

/** From the dotted text. Meant for constants. */
export function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const septets = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) septets.unshift((left & 0x7f) | 0x80);
    bytes.push(...septets);
  }
  return der(TAG.objectId, Buffer.from(bytes));
}

/** A bit string of whole bytes. */
export function bitString(bytes: Uint8Array): Buffer {
  return der(TAG.bitString, Buffer.of(0), bytes);
}

export function octetString(bytes: Uint8Array): Buffer {
  return der(TAG.octetString, bytes);
}

export function utf8String(text: string): Buffer {
  return der(TAG.utf8String, Buffer.from(text, 'utf8'));
}

/** Whole seconds, UTC: UTCTime until 2049, GeneralizedTime after it (RFC 5280, section 4.1.2.5). */
export function time(ms: number): Buffer {
  const text = secondsText(ms);
  const year = Number(text.slice(0, 4));
  return year >= 1950 && year < 2050 ? der(TAG.utcTime, Buffer.from(text.slice(2))) : der(TAG.generalizedTime, Buffer.from(text));
}

/** Whole seconds, UTC, with four digits of the year always (RFC 6960; RFC 5280, section 5.3.2). */
export function generalizedTime(ms: number): Buffer {
  return der(TAG.generalizedTime, Buffer.from(secondsText(ms)));
}

/** `20270101000000Z`, of a year with four digits. */
function secondsText(ms: number): string {
  const iso = new Date(ms).toISOString();
  return `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 10)}${iso.slice(11, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}Z`;
}
