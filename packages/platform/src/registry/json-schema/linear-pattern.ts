import { parsePattern, type PatternNode } from './pattern-syntax.ts';

/** A program of this size looks through the longest text of a shadow in some tens of ms. */
export const MAX_PATTERN_STEPS = 500;

/**
 * One step of the program:
 *   chars   goes on where the test holds for the next character
 *   assert  goes on where the place is of the kind
 *   split   goes on at several places
 *   match   the pattern was found
 */
type Step =
  | { readonly kind: 'chars'; readonly test: (character: string) => boolean }
  | { readonly kind: 'assert'; readonly at: 'start' | 'end' | 'boundary' | 'inside' }
  | { readonly kind: 'split'; readonly to: number[] }
  | { readonly kind: 'match' };

/**
 * A regular expression that is looked for in linear time (Thompson 1968): all ways through the pattern are followed at once, so that no
 * text makes it slow, as one can with the engine of the language (`(a+)+$`). For patterns of people that are held against texts of devices.
 *
 * Takes the syntax of JavaScript with the flag `u`, but no look-around and no references back, which no such engine has.
 */
export class LinearPattern {
  readonly #steps: Step[] = [];
  readonly #source: string;

  /** @throws SelsynError `request.invalid` for a pattern that is none, that needs what there is not, or is too long */
  constructor(source: string) {
    this.#source = source;
    this.#add(parsePattern(source, MAX_PATTERN_STEPS));
    this.#steps.push({ kind: 'match' });
  }

  /** Whether it is found anywhere in the text. Takes text × steps. */
  test(text: string): boolean {
    const characters = Array.from(text);
    // A step is followed once at each place: then the ways that lead to it are the same from there on.
    const seenAt = new Int32Array(this.#steps.length).fill(-1);
    let current: number[] = [];
    for (let place = 0; ; place++) {
      const pending = [...current, 0];
      const waiting: number[] = [];
      while (pending.length > 0) {
        const at = pending.pop()!;
        if (seenAt[at] === place) continue;
        seenAt[at] = place;
        const step = this.#steps[at]!;
        if (step.kind === 'match') return true;
        if (step.kind === 'split') pending.push(...step.to);
        else if (step.kind === 'chars') waiting.push(at);
        else if (isPlace(step.at, characters, place)) pending.push(at + 1);
      }
      const character = characters[place];
      if (character === undefined) return false;
      current = waiting.filter((at) => this.#holds(at, character)).map((at) => at + 1);
    }
  }

  toString(): string {
    return this.#source;
  }

  #holds(at: number, character: string): boolean {
    const step = this.#steps[at]!;
    return step.kind === 'chars' && step.test(character);
  }

  #add(node: PatternNode): void {
    switch (node.kind) {
      case 'chars':
      case 'assert':
        this.#steps.push(node);
        return;
      case 'sequence':
        for (const item of node.items) this.#add(item);
        return;
      case 'choice':
        this.#addChoice(node.items);
        return;
      case 'repeat': {
        for (let i = 0; i < node.min; i++) this.#add(node.item);
        if (node.max === undefined) this.#addLoop(node.item);
        else for (let i = node.min; i < node.max; i++) this.#addChoice([node.item, { kind: 'sequence', items: [] }]);
      }
    }
  }

  #addChoice(items: readonly PatternNode[]): void {
    const split: Step & { kind: 'split' } = { kind: 'split', to: [] };
    this.#steps.push(split);
    const ends: (Step & { kind: 'split' })[] = [];
    for (const item of items) {
      split.to.push(this.#steps.length);
      this.#add(item);
      const end: Step & { kind: 'split' } = { kind: 'split', to: [] };
      this.#steps.push(end);
      ends.push(end);
    }
    for (const end of ends) end.to.push(this.#steps.length);
  }

  #addLoop(item: PatternNode): void {
    const begin = this.#steps.length;
    const split: Step & { kind: 'split' } = { kind: 'split', to: [begin + 1] };
    this.#steps.push(split);
    this.#add(item);
    this.#steps.push({ kind: 'split', to: [begin] });
    split.to.push(this.#steps.length);
  }
}

function isPlace(at: 'start' | 'end' | 'boundary' | 'inside', characters: readonly string[], place: number): boolean {
  if (at === 'start') return place === 0;
  if (at === 'end') return place === characters.length;
  const isBoundary = isWord(characters[place - 1]) !== isWord(characters[place]);
  return at === 'boundary' ? isBoundary : !isBoundary;
}

function isWord(character: string | undefined): boolean {
  return character !== undefined && /^\w$/.test(character);
}
