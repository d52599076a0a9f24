import { createRequire } from 'node:module';
import { SelsynError } from '../kernel/errors.ts';
import { normalized } from './password-hashes.ts';

/**
 * NIST SP 800-63B-4, 3.1.1.2, for passwords that are the only factor:
 *
 * - at least 15 characters, and at least 64 are taken: 256 here;
 * - every printable character of Unicode counts as one, spaces too;
 * - no rules of composition, no expiry, no hints;
 * - refused when it is common, made of the context (the user's name, the product's), or a simple pattern.
 */
export const MIN_PASSWORD_LENGTH = 15;
export const MAX_PASSWORD_LENGTH = 256;

/** What must be left once all that is easily guessed is taken out. */
const MIN_UNGUESSED_LENGTH = 8;
const PRODUCT_WORDS = ['selsyn'];

/** @param words of the user: name, display name. @throws SelsynError `password.refused` with all reasons. */
export function ensureGoodPassword(password: string, words: readonly string[]): void {
  const reasons = reasonsAgainst(password, words);
  if (reasons.length === 0) return;
  throw new SelsynError('password.refused', `the password ${reasons.join(', and ')}`, { details: { reasons } });
}

/** Each one goes on after "the password ". */
export function reasonsAgainst(password: string, words: readonly string[]): readonly string[] {
  const text = normalized(password);
  const length = Array.from(text).length;
  if (length < MIN_PASSWORD_LENGTH) {
    return [`has ${length} characters and needs at least ${MIN_PASSWORD_LENGTH}: four words that do not belong together will do`];
  }
  if (length > MAX_PASSWORD_LENGTH) return [`has ${length} characters: more than ${MAX_PASSWORD_LENGTH}`];
  const plain = text.toLowerCase();
  if (isCommon(plain)) return ['is among the passwords that are tried first'];
  if (isPattern(plain)) return ['is a simple pattern'];
  const contextWords = [...PRODUCT_WORDS, ...words.flatMap(partsOf)];
  const without = contextWords.reduce((left, word) => left.replaceAll(word, ''), plain);
  if (without !== plain && Array.from(without).length < MIN_UNGUESSED_LENGTH) {
    return ['is little more than a name that belongs to the account or to this server'];
  }
  return [];
}

/** Also with digits and marks before and after, and as the same one again and again. */
function isCommon(plain: string): boolean {
  const common = commonPasswords();
  const unit = unitOf(plain);
  return [plain, unit].some((each) => common.has(each) || common.has(each.replaceAll(/^[\d\W_]+|[\d\W_]+$/g, '')));
}

/** Few different characters, a short text again and again, or the alphabet, the digits, a row of keys, up or down. */
function isPattern(plain: string): boolean {
  if (new Set(plain).size <= 4 || Array.from(unitOf(plain)).length <= 5) return true;
  const rest = withoutRuns(ROWS.reduce((left, row) => left.replaceAll(row, ''), plain));
  return Array.from(rest).length < MIN_UNGUESSED_LENGTH;
}

/** Rows of a keyboard, of which people take whole ones. */
const ROWS = [
  'qwertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  'qwertzuiop',
  'yxcvbnm',
  'azertyuiop',
  'qsdfghjklm',
  'wxcvbn',
  '1q2w3e4r',
].flatMap((row) => [row, Array.from(row).reverse().join(''), row.slice(0, 6)]);

/** Leaves out characters that follow from the two before them: `abcdef`, `87654`, `aaaa`. */
function withoutRuns(text: string): string {
  const codes = Array.from(text).map((character) => character.codePointAt(0) ?? 0);
  const kept = codes.filter((code, at) => {
    const [one = NaN, two = NaN] = [codes[at - 2], codes[at - 1]];
    return !(code - two === two - one && Math.abs(two - one) <= 1);
  });
  return String.fromCodePoint(...kept);
}

/** The shortest text that gives the whole when it is repeated. */
function unitOf(text: string): string {
  const characters = Array.from(text);
  for (let size = 1; size <= characters.length / 2; size++) {
    if (characters.every((character, at) => character === characters[at % size])) return characters.slice(0, size).join('');
  }
  return text;
}

/** A name and its parts, where they are long enough to be recognised. */
function partsOf(name: string): readonly string[] {
  const plain = name.normalize('NFKC').toLowerCase();
  return [plain, ...plain.split(/[^\p{L}\p{N}]+/u)].filter((part) => part.length >= 4);
}

let known: ReadonlySet<string> | undefined;

/** 49,000 of the most used ones, in lower case; read when the first password is judged. */
function commonPasswords(): ReadonlySet<string> {
  if (known === undefined) {
    const { dictionary } = createRequire(import.meta.url)('@zxcvbn-ts/language-common') as {
      readonly dictionary: { readonly 'passwords-common': readonly string[] };
    };
    known = new Set(dictionary['passwords-common']);
  }
  return known;
}
