/**
 * Text that a client chose, safe for a terminal: control characters, which could move its cursor or recolour it, and a lone
 * surrogate become escapes, as in JSON.
 */
export function printable(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => ESCAPES[char] ?? `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
}

/** Bytes as text where they are UTF-8, the others as `\xff`. */
export function printableBytes(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoded = text.toString('utf8');
  if (Buffer.from(decoded, 'utf8').equals(text)) return printable(decoded);
  return [...text]
    .map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`))
    .join('');
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
