import { parsePattern, type PatternFlags, type PatternNode } from './pattern-syntax.ts';

/** A program of this size looks through the longest text of a shadow in some tens of ms. */
export const MAX_PATTERN_STEPS = 500;

/**
 * One step of the program:
 *   chars   goes on where the test holds for the next character
 *   assert  goes on where the place is of the kind
 *   split   goes on at several places, those that are to be preferred first
 *   save    keeps where a group begins or ends
 *   match   the pattern was found
 */
type Step =
  | { readonly kind: 'chars'; readonly test: (character: string) => boolean }
  | { readonly kind: 'assert'; readonly at: 'start' | 'end' | 'boundary' | 'inside' }
  | { readonly kind: 'split'; readonly to: number[] }
  | { readonly kind: 'save'; readonly slot: number }
  | { readonly kind: 'match' };

/** A way through the pattern, and where the groups begin and end on it. */
interface Way {
  readonly at: number;
  readonly saved: readonly number[];
}

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
  constructor(source: string, flags: PatternFlags = 'u') {
    this.#source = source;
    this.#add(parsePattern(source, MAX_PATTERN_STEPS, flags));
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
        else if (step.kind === 'save') pending.push(at + 1);
        else if (isPlace(step.at, characters, place)) pending.push(at + 1);
      }
      const character = characters[place];
      if (character === undefined) return false;
      current = waiting.filter((at) => this.#holds(at, character)).map((at) => at + 1);
    }
  }

  /**
   * What its groups have of a text that it fits from the first to the last character; that of the whole pattern is 0, and a group that has
   * nothing is not there. Of several ways the one that a backtracking engine would find first. Takes text × steps.
   */
  match(text: string): readonly (string | undefined)[] | undefined {
    const characters = Array.from(text);
    const seenAt = new Int32Array(this.#steps.length).fill(-1);
    let current: Way[] = [{ at: 0, saved: [] }];
    for (let place = 0; current.length > 0; place++) {
      const waiting: Way[] = [];
      const pending = current.toReversed();
      while (pending.length > 0) {
        const { at, saved } = pending.pop()!;
        if (seenAt[at] === place) continue;
        seenAt[at] = place;
        const step = this.#steps[at]!;
        if (step.kind === 'chars') waiting.push({ at, saved });
        else if (step.kind === 'split') for (const to of step.to.toReversed()) pending.push({ at: to, saved });
        else if (step.kind === 'save') pending.push({ at: at + 1, saved: kept(saved, step.slot, place) });
        else if (step.kind === 'assert') {
          if (isPlace(step.at, characters, place)) pending.push({ at: at + 1, saved });
        } else if (place === characters.length) return groupsOf(characters, saved);
      }
      const character = characters[place];
      if (character === undefined) return undefined;
      current = waiting.filter(({ at }) => this.#holds(at, character)).map(({ at, saved }) => ({ at: at + 1, saved }));
    }
    return undefined;
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
      case 'group':
        this.#steps.push({ kind: 'save', slot: 2 * node.index });
        this.#add(node.item);
        this.#steps.push({ kind: 'save', slot: 2 * node.index + 1 });
        return;
      case 'repeat': {
        const { item, min, max, lazy } = node;
        for (let i = 0; i < min; i++) this.#add(item);
        if (max === undefined) this.#addLoop(item, lazy);
        else for (let i = min; i < max; i++) this.#addChoice(lazy ? [NOTHING, item] : [item, NOTHING]);
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

  #addLoop(item: PatternNode, lazy: boolean): void {
    const begin = this.#steps.length;
    const split: Step & { kind: 'split' } = { kind: 'split', to: [begin + 1] };
    this.#steps.push(split);
    this.#add(item);
    this.#steps.push({ kind: 'split', to: [begin] });
    split.to[lazy ? 'unshift' : 'push'](this.#steps.length);
  }
}

const NOTHING: PatternNode = { kind: 'sequence', items: [] };

function kept(saved: readonly number[], slot: number, place: number): readonly number[] {
  const copy = saved.slice();
  copy[slot] = place;
  return copy;
}

function groupsOf(characters: readonly string[], saved: readonly number[]): (string | undefined)[] {
  const groups: (string | undefined)[] = [characters.join('')];
  for (let slot = 2; slot < saved.length; slot += 2) {
    const [from, to] = [saved[slot], saved[slot + 1]];
    groups.push(from === undefined || to === undefined ? undefined : characters.slice(from, to).join(''));
  }
  return groups;
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
