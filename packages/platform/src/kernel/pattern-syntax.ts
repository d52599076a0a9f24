import { SelsynError } from './errors.ts';

/** A regular expression, taken apart. */
export type PatternNode =
  | { readonly kind: 'chars'; readonly test: (character: string) => boolean }
  | { readonly kind: 'assert'; readonly at: 'start' | 'end' | 'boundary' | 'inside' }
  | { readonly kind: 'sequence'; readonly items: readonly PatternNode[] }
  | { readonly kind: 'choice'; readonly items: readonly PatternNode[] }
  /** Of those that are counted the first is 1. */
  | { readonly kind: 'group'; readonly item: PatternNode; readonly index: number }
  /** `max` undefined: any number of times. `lazy`: rather few times than many. */
  | {
      readonly kind: 'repeat';
      readonly item: PatternNode;
      readonly min: number;
      readonly max: number | undefined;
      readonly lazy: boolean;
    };

const MAX_SOURCE = 1000;
const MAX_DEPTH = 50;
const ASCII = 128;

/** As those of `RegExp`: `i` ignores case, `s` lets `.` stand for the end of a line too. */
export type PatternFlags = 'u' | 'su' | 'isu';

/**
 * Takes apart what `new RegExp(source, 'u')` takes, but for look-around and references back.
 *
 * @param maxSteps how long the pattern may be once its counted repetitions are written out
 * @throws SelsynError `request.invalid`
 */
export function parsePattern(source: string, maxSteps: number, flags: PatternFlags = 'u'): PatternNode {
  if (source.length > MAX_SOURCE) throw invalid(source, `has more than ${MAX_SOURCE} characters`);
  try {
    // It is the judge of the syntax: nothing is looked for by it.
    void new RegExp(source, flags);
  } catch (error) {
    throw invalid(source, 'is no regular expression (of JavaScript, with the flag u)', error);
  }
  const node = new PatternReader(source, flags).read();
  const steps = stepsOf(node);
  if (steps > maxSteps) {
    throw invalid(
      source,
      `is too long: ${steps} steps, and ${maxSteps} are allowed; for lengths there are minLength and maxLength`,
    );
  }
  return node;
}

/** With what is between the steps: an upper bound. */
function stepsOf(node: PatternNode): number {
  switch (node.kind) {
    case 'chars':
    case 'assert':
      return 1;
    case 'sequence':
      return node.items.reduce((sum, item) => sum + stepsOf(item), 0);
    case 'choice':
      return node.items.reduce((sum, item) => sum + 1 + stepsOf(item), 1);
    case 'group':
      return 2 + stepsOf(node.item);
    case 'repeat': {
      // Nothing, a thousand million times, takes its time too.
      const item = Math.max(1, stepsOf(node.item));
      return node.max === undefined ? node.min * item + item + 2 : node.min * item + (node.max - node.min) * (item + 3);
    }
  }
}

/** Reads a source whose syntax is known to be right. */
class PatternReader {
  readonly #source: string;
  readonly #flags: PatternFlags;
  #at = 0;
  #depth = 0;
  #groups = 0;

  constructor(source: string, flags: PatternFlags) {
    this.#source = source;
    this.#flags = flags;
  }

  read(): PatternNode {
    return this.#choice();
  }

  #choice(): PatternNode {
    if (++this.#depth > MAX_DEPTH) throw invalid(this.#source, `has more than ${MAX_DEPTH} groups within each other`);
    const items = [this.#sequence()];
    while (this.#takes('|')) items.push(this.#sequence());
    this.#depth--;
    const [only] = items;
    return items.length === 1 && only !== undefined ? only : { kind: 'choice', items };
  }

  #sequence(): PatternNode {
    const items: PatternNode[] = [];
    while (this.#at < this.#source.length && this.#next !== '|' && this.#next !== ')') items.push(this.#repeated(this.#atom()));
    return { kind: 'sequence', items };
  }

  #repeated(item: PatternNode): PatternNode {
    const found = /^(?:[*+?]|\{(\d+)(,(\d*))?\})\??/.exec(this.#source.slice(this.#at));
    if (found === null) return item;
    const [text, min, comma, max] = found;
    this.#at += text.length;
    const lazy = text.length > 1 && text.endsWith('?');
    if (text.startsWith('*')) return { kind: 'repeat', item, min: 0, max: undefined, lazy };
    if (text.startsWith('+')) return { kind: 'repeat', item, min: 1, max: undefined, lazy };
    if (text.startsWith('?')) return { kind: 'repeat', item, min: 0, max: 1, lazy };
    const least = Number(min);
    if (comma === undefined) return { kind: 'repeat', item, min: least, max: least, lazy };
    return { kind: 'repeat', item, min: least, max: max === undefined || max === '' ? undefined : Number(max), lazy };
  }

  #atom(): PatternNode {
    if (this.#takes('^')) return { kind: 'assert', at: 'start' };
    if (this.#takes('$')) return { kind: 'assert', at: 'end' };
    if (this.#takes('(')) return this.#group();
    const rest = this.#source.slice(this.#at);
    const escape =
      /^\\(?:u\{[0-9A-Fa-f]+\}|u[0-9A-Fa-f]{4}(?:\\u[0-9A-Fa-f]{4})?|x[0-9A-Fa-f]{2}|c[A-Za-z]|[pP]\{[^}]*\}|.)/su.exec(rest);
    const text = rest.startsWith('[') ? classAt(rest) : (escape?.[0] ?? String.fromCodePoint(rest.codePointAt(0) ?? 0));
    if (text === '\\b' || text === '\\B') {
      this.#at += text.length;
      return { kind: 'assert', at: text === '\\b' ? 'boundary' : 'inside' };
    }
    if (/^\\[1-9k]/.test(text)) throw invalid(this.#source, 'refers back to a group, which is not taken here');
    const taken = lonelyHalf(text) ? text.slice(0, '\\uHHHH'.length) : text;
    this.#at += taken.length;
    return { kind: 'chars', test: oneCharacter(taken, this.#flags) };
  }

  #group(): PatternNode {
    let index: number | undefined;
    if (!this.#takes('?')) index = ++this.#groups;
    else {
      const name = /^(?::|<[^=!][^>]*>)/.exec(this.#source.slice(this.#at))?.[0];
      if (name === undefined) throw invalid(this.#source, 'looks ahead or back, which is not taken here');
      this.#at += name.length;
      if (name !== ':') index = ++this.#groups;
    }
    const item = this.#choice();
    this.#takes(')');
    return index === undefined ? item : { kind: 'group', item, index };
  }

  get #next(): string | undefined {
    return this.#source[this.#at];
  }

  #takes(character: string): boolean {
    if (this.#next !== character) return false;
    this.#at += 1;
    return true;
  }
}

/** `\ud83d\ude00` is one character, `\u0041\u0042` are two. */
function lonelyHalf(text: string): boolean {
  return text.length === '\\uHHHH\\uHHHH'.length && text.startsWith('\\u') && !/^\\u[dD][89abAB]..\\u[dD][c-fC-F]..$/.test(text);
}

/** The class that a text begins with: `[^\]a-z]`. */
function classAt(text: string): string {
  for (let at = 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === ']') return text.slice(0, at + 1);
  }
  return text;
}

/** @param source of a pattern of one character: the engine of the language is safe for that, and knows all classes. */
function oneCharacter(source: string, flags: PatternFlags): (character: string) => boolean {
  const pattern = new RegExp(`^${source}$`, flags);
  const ascii = Array.from({ length: ASCII }, (_, code) => pattern.test(String.fromCharCode(code)));
  return (character) => ascii[character.length === 1 ? character.charCodeAt(0) : ASCII] ?? pattern.test(character);
}

function invalid(source: string, why: string, cause?: unknown): SelsynError {
  const shown = source.length <= 60 ? source : `${source.slice(0, 60)}…`;
  return new SelsynError('request.invalid', `the pattern ${JSON.stringify(shown)} ${why}`, { cause });
}
