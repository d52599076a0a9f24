const LONGEST_RUN_DIGITS = 3;

/**
 * A text that sorts, byte by byte, as people sort versions: `2.9` before `2.10`, `v1` before `v02`.
 *
 * Each run of digits becomes its length without leading zeros, in three digits, and then itself. At most 999 digits in a
 * run: texts in the registry's index are shorter.
 */
export function naturalKey(text: string): string {
  return text.replace(/\d+/g, (run) => {
    const digits = run.replace(/^0+(?=\d)/, '');
    return String(digits.length).padStart(LONGEST_RUN_DIGITS, '0') + digits;
  });
}

/** As the database compares: UTF-8, byte by byte. */
export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
}
