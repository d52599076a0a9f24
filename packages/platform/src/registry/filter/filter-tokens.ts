import { filterError } from './filter-error.ts';

/** A piece of a filter; `position` is that of its first character, from 1. */
export type Token = { readonly position: number } & (
  | { readonly kind: 'word'; readonly text: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'number'; readonly number: number }
  | { readonly kind: 'ago'; readonly ms: number }
  | { readonly kind: 'symbol'; readonly symbol: '=' | '!=' | '<' | '<=' | '>' | '>=' | '(' | ')' | ',' }
  | { readonly kind: 'end' }
);

export const MAX_FILTER_LENGTH = 4096;
export const MAX_TEXT_LENGTH = 256;

/** Names of fields as they are written, `attributes.fw.version`, and the words of the language. */
const WORD = /[A-Za-z_$@][A-Za-z0-9_:$@-]*(?:\.[A-Za-z0-9_:$@-]+)*/y;
const AGO = /-(\d{1,6})(m|h|d|w)(?![A-Za-z0-9_.])/y;
const NUMBER = /[+-]?(?:\d+(?:\.\d+)?)(?:[eE][+-]?\d{1,3})?(?![A-Za-z0-9_.])/y;
const SYMBOL = /!=|<=|>=|[=<>(),]/y;
const SPACE = /[ \t\r\n]*/y;
const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
type SymbolText = Extract<Token, { kind: 'symbol' }>['symbol'];

/** Cuts a filter into its pieces; the last one is `end`. O(length). @throws SelsynError `request.invalid` */
export function tokensOf(filter: string): readonly Token[] {
  if (filter.length > MAX_FILTER_LENGTH) {
    throw filterError(MAX_FILTER_LENGTH + 1, `a filter has at most ${MAX_FILTER_LENGTH} characters`);
  }
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    at += match(SPACE, filter, at)?.[0].length ?? 0;
    if (at === filter.length) break;
    const [token, end] = tokenAt(filter, at);
    tokens.push(token);
    at = end;
  }
  return [...tokens, { kind: 'end', position: at + 1 }];
}

function tokenAt(filter: string, at: number): readonly [Token, number] {
  const position = at + 1;
  const first = filter[at]!;
  if (first === '"' || first === "'") return textAt(filter, at, first);
  const word = match(WORD, filter, at)?.[0];
  if (word !== undefined) return [{ kind: 'word', text: word, position }, at + word.length];
  const ago = match(AGO, filter, at);
  if (ago !== undefined) {
    const [whole, count, unit] = ago;
    return [{ kind: 'ago', ms: Number(count) * (UNIT_MS[unit!] ?? 0), position }, at + whole.length];
  }
  const number = match(NUMBER, filter, at)?.[0];
  if (number !== undefined) {
    const value = Number(number);
    if (!Number.isFinite(value)) throw filterError(position, 'the number is too large');
    // Adding 0 makes -0 the 0 that it is compared as.
    return [{ kind: 'number', number: value + 0, position }, at + number.length];
  }
  const symbol = match(SYMBOL, filter, at)?.[0];
  if (symbol !== undefined) return [{ kind: 'symbol', symbol: symbol as SymbolText, position }, at + symbol.length];
  throw filterError(
    position,
    `${JSON.stringify(String.fromCodePoint(filter.codePointAt(at)!))} begins nothing that a filter has`,
  );
}

/** `"..."` or `'...'`; a backslash takes the next character as it is. */
function textAt(filter: string, start: number, quote: string): readonly [Token, number] {
  const position = start + 1;
  let text = '';
  for (let at = start + 1; at < filter.length; at++) {
    const character = filter[at]!;
    if (character === quote) {
      if (text.length > MAX_TEXT_LENGTH) throw filterError(position, `a text has at most ${MAX_TEXT_LENGTH} characters`);
      if (text.includes('\0') || !text.isWellFormed()) throw filterError(position, 'the text holds characters that no value has');
      return [{ kind: 'text', text, position }, at + 1];
    }
    if (character === '\\') {
      at++;
      if (at === filter.length) break;
    }
    text += filter[at]!;
  }
  throw filterError(position, `the text that begins here has no closing ${quote}`);
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}
