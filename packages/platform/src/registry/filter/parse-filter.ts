import { and, or, type Filter, type Literal } from './filter-ast.ts';
import { filterError } from './filter-error.ts';
import { conditionOf, type ConditionParts } from './filter-fields.ts';
import { tokensOf, type Token } from './filter-tokens.ts';

/*
 * filter     = any
 * any        = every *( "or" every )
 * every      = one *( "and" one )
 * one        = "not" one / "(" any ")" / condition
 * condition  = field comparison literal
 *            / field ["not"] "in" "(" literal *( "," literal ) ")"
 *            / field ["not"] "like" text           ; * any characters, ? any one
 *            / field "under" text                  ; of group
 *            / field "has" text                    ; of tags
 *            / field "exists"
 * comparison = "=" / "!=" / "<" / "<=" / ">" / ">="
 * literal    = text / number / "true" / "false" / "-" 1*DIGIT ( "m" / "h" / "d" / "w" )
 * field      = "id" / "name" / "type" / "group" / "tags" / "connected" / "lastSeen" / "createdAt" / "firmware"
 *            / "attributes." name *( "." name )
 *            / "shadow." [name "."] ( "desired" / "reported" ) 1*( "." name )
 *
 * The words of the language may be written in capital letters.
 */

export const MAX_FILTER_DEPTH = 32;
export const MAX_CONDITIONS = 100;

/** @throws SelsynError `request.invalid` that says at which character, and what would be right there. */
export function parseFilter(text: string): Filter {
  return new Parser(tokensOf(text)).parse();
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #conditions = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): Filter {
    const filter = this.#any(1);
    const rest = this.#peek();
    if (rest.kind !== 'end') throw filterError(rest.position, `"and", "or" or the end expected, not ${nameOf(rest)}`);
    return filter;
  }

  #any(depth: number): Filter {
    const items = [this.#every(depth)];
    while (this.#takeWord('or')) items.push(this.#every(depth));
    return or(items);
  }

  #every(depth: number): Filter {
    const items = [this.#one(depth)];
    while (this.#takeWord('and')) items.push(this.#one(depth));
    return and(items);
  }

  #one(depth: number): Filter {
    const { position } = this.#peek();
    if (depth > MAX_FILTER_DEPTH) throw filterError(position, `conditions are at most ${MAX_FILTER_DEPTH} levels deep`);
    if (this.#takeWord('not')) return { kind: 'not', item: this.#one(depth + 1) };
    if (this.#takeSymbol('(')) {
      const filter = this.#any(depth + 1);
      this.#expectSymbol(')');
      return filter;
    }
    return this.#condition();
  }

  #condition(): Filter {
    const field = this.#next();
    if (field.kind !== 'word') throw filterError(field.position, `a field expected, not ${nameOf(field)}`);
    const negated = this.#takeWord('not');
    const operator = this.#operator();
    const parts = { field: field.text, fieldPosition: field.position, position: operator.position };
    const filter = this.#apply(operator.text, parts);
    if (negated && operator.text !== 'in' && operator.text !== 'like') {
      throw filterError(operator.position, '"in" or "like" expected after "not"; otherwise "not" stands before the condition');
    }
    return negated ? { kind: 'not', item: filter } : filter;
  }

  #apply(operator: string, parts: Omit<ConditionParts, 'operator' | 'literal'>): Filter {
    if (operator === 'exists') return this.#counted({ ...parts, operator });
    if (operator !== 'in') {
      const plain = operator === '!=' ? '=' : operator;
      const filter = this.#counted({ ...parts, operator: plain, ...this.#literal() });
      return operator === '!=' ? { kind: 'not', item: filter } : filter;
    }
    this.#expectSymbol('(');
    const items: Filter[] = [];
    do items.push(this.#counted({ ...parts, operator: '=', ...this.#literal() }));
    while (this.#takeSymbol(','));
    this.#expectSymbol(')');
    return or(items);
  }

  #counted(parts: ConditionParts): Filter {
    if (++this.#conditions > MAX_CONDITIONS) {
      throw filterError(parts.position, `a filter has at most ${MAX_CONDITIONS} conditions, each value after "in" counted`);
    }
    return conditionOf(parts);
  }

  #operator(): { readonly text: string; readonly position: number } {
    const token = this.#next();
    if (token.kind === 'symbol' && /^[=<>!]/.test(token.symbol)) return { text: token.symbol, position: token.position };
    const word = token.kind === 'word' ? token.text.toLowerCase() : '';
    if (WORD_OPERATORS.has(word)) return { text: word, position: token.position };
    throw filterError(token.position, `a comparison expected (= != < <= > >= in like under has exists), not ${nameOf(token)}`);
  }

  #literal(): { readonly literal: Literal; readonly literalPosition: number } {
    const token = this.#next();
    const literalPosition = token.position;
    switch (token.kind) {
      case 'text':
        return { literal: { kind: 'text', text: token.text }, literalPosition };
      case 'number':
        return { literal: { kind: 'number', number: token.number }, literalPosition };
      case 'ago':
        return { literal: { kind: 'ago', ms: token.ms }, literalPosition };
      case 'word': {
        const word = token.text.toLowerCase();
        if (word === 'true' || word === 'false') return { literal: { kind: 'truth', truth: word === 'true' }, literalPosition };
        throw filterError(token.position, `a value expected, not ${token.text}: a text stands in quotes`);
      }
      default:
        throw filterError(token.position, `a value expected, not ${nameOf(token)}`);
    }
  }

  #takeWord(word: string): boolean {
    const token = this.#peek();
    if (token.kind !== 'word' || token.text.toLowerCase() !== word) return false;
    this.#at++;
    return true;
  }

  #takeSymbol(symbol: string): boolean {
    const token = this.#peek();
    if (token.kind !== 'symbol' || token.symbol !== symbol) return false;
    this.#at++;
    return true;
  }

  #expectSymbol(symbol: string): void {
    const { position } = this.#peek();
    if (!this.#takeSymbol(symbol)) throw filterError(position, `"${symbol}" expected, not ${nameOf(this.#peek())}`);
  }

  #next(): Token {
    const token = this.#peek();
    if (token.kind !== 'end') this.#at++;
    return token;
  }

  #peek(): Token {
    return this.#tokens[this.#at]!;
  }
}

const WORD_OPERATORS: ReadonlySet<string> = new Set(['in', 'like', 'under', 'has', 'exists']);

function nameOf(token: Token): string {
  switch (token.kind) {
    case 'word':
      return token.text.slice(0, 40);
    case 'text':
      return 'a text';
    case 'number':
      return 'a number';
    case 'ago':
      return 'a length of time';
    case 'symbol':
      return `"${token.symbol}"`;
    case 'end':
      return 'the end';
  }
}
