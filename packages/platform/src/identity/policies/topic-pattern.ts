import { filterCovers } from '@selsyn/wire/topics/filter-covers.ts';
import { filterMatches } from '@selsyn/wire/topics/topic-filter.ts';

/** The values of the variables of a policy set, by their index; undefined: it has none, or none that may stand in a topic. */
export type VariableValues = readonly (string | undefined)[];

type Part = string | number | typeof ANY_LEVEL | typeof ANY_REST;
const ANY_LEVEL = Symbol('+');
const ANY_REST = Symbol('#');

/**
 * A topic filter with variables, taken apart once so that asking whether a topic matches makes nothing new.
 *
 * `devices/${device.id}/+/state` is `'devices/'`, the value of variable 0, `'/'`, any level, `'/state'`.
 */
export class TopicPattern {
  readonly text: string;
  readonly #parts: readonly Part[];
  readonly #variables: readonly number[];
  /** Begins with a wildcard, which matches no topic that begins with `$` [MQTT-4.7.2-1]. */
  readonly #wildFirst: boolean;

  /** @param indexOf gives each variable its place among the values. */
  constructor(text: string, indexOf: (variable: string) => number) {
    this.text = text;
    this.#parts = partsOf(text, indexOf);
    this.#variables = this.#parts.filter((part) => typeof part === 'number');
    this.#wildFirst = this.#parts[0] === ANY_LEVEL || this.#parts[0] === ANY_REST;
  }

  /**
   * Whether a topic name matches.
   * @param whereUnknown what a variable without a value does: `nothing` matches nothing, `anything` is taken for one whole level.
   */
  matches(topic: string, values: VariableValues, whereUnknown: 'nothing' | 'anything'): boolean {
    if (this.#wildFirst && topic.charCodeAt(0) === DOLLAR) return false;
    if (this.#variables.some((index) => values[index] === undefined))
      return whereUnknown === 'anything' && this.#matchesWidened(topic, values);
    let at = 0;
    const parts = this.#parts;
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i];
      if (typeof part === 'string') {
        if (topic.startsWith(part, at)) at += part.length;
        // `a/#` matches `a` too.
        else return i === parts.length - 2 && parts[i + 1] === ANY_REST && isRestOf(topic, at, part);
      } else if (typeof part === 'number') {
        const value = values[part];
        if (value === undefined || !topic.startsWith(value, at)) return false;
        at += value.length;
      } else if (part === ANY_REST) return true;
      else {
        const slash = topic.indexOf('/', at);
        at = slash < 0 ? topic.length : slash;
      }
    }
    return at === topic.length;
  }

  /** Whether every topic that a filter matches matches too. The filter is valid and has no `$share` before it. */
  covers(filter: string, values: VariableValues, whereUnknown: 'nothing' | 'anything'): boolean {
    const expanded = this.expand(values, whereUnknown);
    return expanded !== undefined && filterCovers(expanded, filter);
  }

  #matchesWidened(topic: string, values: VariableValues): boolean {
    const expanded = this.expand(values, 'anything');
    return expanded !== undefined && filterMatches(expanded, topic);
  }

  /** The filter that it is with these values; undefined: it matches nothing. */
  expand(values: VariableValues, whereUnknown: 'nothing' | 'anything'): string | undefined {
    let text = '';
    let isUnknown = false;
    for (const part of this.#parts) {
      if (typeof part === 'string') text += part;
      else if (part === ANY_LEVEL) text += '+';
      else if (part === ANY_REST) text += '#';
      else {
        const value = values[part];
        isUnknown ||= value === undefined;
        text += value ?? UNKNOWN;
      }
    }
    if (!isUnknown) return text;
    if (whereUnknown === 'nothing') return undefined;
    return text
      .split('/')
      .map((level) => (level.includes(UNKNOWN) ? '+' : level))
      .join('/');
  }
}

/** Cannot stand in a topic [MQTT-4.7.3-2]. */
const UNKNOWN = '\0';
const DOLLAR = 0x24;

function isRestOf(topic: string, at: number, part: string): boolean {
  return part.endsWith('/') && topic.length === at + part.length - 1 && topic.endsWith(part.slice(0, -1));
}

function partsOf(text: string, indexOf: (variable: string) => number): readonly Part[] {
  const parts: Part[] = [];
  // Variables, `+` where it is a whole level, and `#`, which is valid only at the end.
  for (const piece of text.split(/(\$\{[^}]*\}|(?<=^|\/)\+(?=\/|$)|#$)/)) {
    if (piece === '') continue;
    if (piece === '+') parts.push(ANY_LEVEL);
    else if (piece === '#') parts.push(ANY_REST);
    else if (piece.startsWith('${')) parts.push(indexOf(piece.slice(2, -1)));
    else parts.push(piece);
  }
  return parts;
}
