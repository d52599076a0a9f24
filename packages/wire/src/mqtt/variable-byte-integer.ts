/** The largest value of a variable byte integer, and so of the remaining length. */
export const MAX_VARIABLE_BYTE_INTEGER = 268_435_455;

/** The bytes that a value takes at least, which is what it must take [MQTT-1.5.5-1]. */
export function variableByteIntegerLength(value: number): 1 | 2 | 3 | 4 {
  if (value < 128) return 1;
  if (value < 16_384) return 2;
  return value < 2_097_152 ? 3 : 4;
}

/** Writes a value of 0 to 268,435,455 and returns where it ends. Seven bits a byte, lowest first; bit 7: another one follows. */
export function writeVariableByteInteger(into: Uint8Array, at: number, value: number): number {
  let rest = value;
  while (rest > 127) {
    into[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  into[at++] = rest;
  return at;
}
