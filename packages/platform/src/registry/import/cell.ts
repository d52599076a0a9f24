import type { AttributeValue } from '../device-attributes.ts';
import { SelsynError } from '../../kernel/errors.ts';

const NUMBER = /^-?\d/;
const JSON_START = /^["[{]/;
const TAG_SEPARATORS = /[\s,;|]+/;
/** What a spreadsheet would run as a formula (OWASP, CSV injection). */
const FORMULA_START = /^[=+\-@\t\r\n]/;

/**
 * What a cell says: `true`, `false`, `null`, a number, a JSON text, array or object; all else is the text itself.
 *
 * A number is one only if it is written as JSON writes it: `007`, `1.50` and what has more digits than a number holds stay
 * text. Empty: nothing. Space around a cell was taken away before.
 */
export function readCell(cell: string): AttributeValue | undefined {
  if (cell === '') return undefined;
  if (cell === 'true') return true;
  if (cell === 'false') return false;
  if (cell === 'null') return null;
  if (NUMBER.test(cell)) {
    const number = Number(cell);
    return String(number) === cell ? number : cell;
  }
  return JSON_START.test(cell) ? (jsonOf(cell) ?? cell) : cell;
}

/** The text of a cell of which only text is expected: a JSON text is what it says, all else is itself. */
export function readTextCell(cell: string): string | undefined {
  if (cell === '') return undefined;
  const value = cell.startsWith('"') ? jsonOf(cell) : undefined;
  return typeof value === 'string' ? value : cell;
}

/** The cell that `readCell` reads as this value, and that no spreadsheet takes for a formula. */
export function writeCell(value: AttributeValue): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  return readCell(value.trim()) === value && !FORMULA_START.test(value) ? value : JSON.stringify(value);
}

/** The cell that `readTextCell` reads as this text, and that no spreadsheet takes for a formula. */
export function writeTextCell(text: string): string {
  return readTextCell(text.trim()) === text && !FORMULA_START.test(text) ? text : JSON.stringify(text);
}

export function readTagsCell(cell: string): readonly string[] {
  return cell.split(TAG_SEPARATORS).filter((tag) => tag !== '');
}

function jsonOf(text: string): AttributeValue | undefined {
  try {
    return JSON.parse(text) as AttributeValue;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw new SelsynError('internal', 'a cell could not be read', { cause: error });
  }
}
