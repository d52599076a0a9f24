import { LinearPattern } from '../kernel/linear-pattern.ts';
import type { LabelMatcher } from './expression.ts';
import { PromqlError } from './promql-error.ts';

/** Answers about values that are remembered, for each pattern. */
const MAX_REMEMBERED = 10_000;
/** Texts with `|` between them, as Grafana writes a choice; what is special has a `\\` before it. */
const TEXTS = /^(?:[^\\^$*+?.()|[\]{}]|\\[^A-Za-z0-9]|\|)*$/u;

/** Label names and values. One that is empty is as if it were not there. */
export type Labels = Readonly<Record<string, string>>;

export const NAME_LABEL = '__name__';

/**
 * A pattern of a label, over all of its value: those of RE2, as far as JavaScript knows them too. They are looked for in linear time, and
 * no pattern and no value keeps others waiting; a back-reference or a look-around is refused, as RE2 does.
 *
 * @throws PromqlError `bad_data`
 */
export function compilePattern(pattern: string): LinearPattern {
  const ignoresCase = pattern.startsWith('(?i)');
  try {
    return new LinearPattern(ignoresCase ? pattern.slice('(?i)'.length) : pattern, ignoresCase ? 'isu' : 'su');
  } catch (error) {
    throw new PromqlError('bad_data', error instanceof Error ? error.message : String(error));
  }
}

/** Tells whether values fit a pattern, of which there may be many in one choice: `a|b|c`. @throws PromqlError `bad_data` */
export function patternTest(pattern: string): (value: string) => boolean {
  if (TEXTS.test(pattern)) {
    const texts = new Set(splitTexts(pattern));
    return (value) => texts.has(value);
  }
  const compiled = compilePattern(pattern);
  const known = new Map<string, boolean>();
  return (value) => {
    let fits = known.get(value);
    if (fits === undefined) {
      if (known.size >= MAX_REMEMBERED) known.clear();
      known.set(value, (fits = compiled.match(value) !== undefined));
    }
    return fits;
  };
}

function splitTexts(pattern: string): string[] {
  const texts: string[] = [];
  let text = '';
  for (let at = 0; at < pattern.length; at++) {
    if (pattern[at] === '|') {
      texts.push(text);
      text = '';
    } else text += pattern[at] === '\\' ? pattern[++at]! : pattern[at]!;
  }
  return [...texts, text];
}

/** Empty where it is not there. */
export function labelOf(labels: Labels, name: string): string {
  return Object.hasOwn(labels, name) ? labels[name]! : '';
}

/** Tells whether labels fit all matchers. */
export function labelTest(matchers: readonly LabelMatcher[]): (labels: Labels) => boolean {
  const tests = matchers.map(({ label, operator, value }) => {
    const pattern = operator.endsWith('~') ? patternTest(value) : undefined;
    const wanted = operator === '=' || operator === '=~';
    return (labels: Labels): boolean => {
      const found = labelOf(labels, label);
      return (pattern === undefined ? found === value : pattern(found)) === wanted;
    };
  });
  return (labels) => tests.every((test) => test(labels));
}

/** The same text for the same labels. */
export function labelKey(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function only(labels: Labels, names: readonly string[]): Labels {
  return Object.fromEntries(names.flatMap((name) => (labelOf(labels, name) === '' ? [] : [[name, labels[name]!]])));
}

export function without(labels: Labels, names: readonly string[]): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => !names.includes(name)));
}

export function withoutName(labels: Labels): Labels {
  return without(labels, [NAME_LABEL]);
}
