/**
 * Names of metrics that come with labels (tags): `cpu.usage_idle;cpu=cpu0`, as Graphite writes tagged series.
 *
 *   name   = base *( ";" label "=" value )      labels in the order of their UTF-16 code units, each once
 *
 * A `;` or `\` of base, label or value, and a `=` of a label, has a `\` before it, so that a name tells its parts again.
 */
export type Labels = readonly (readonly [label: string, value: string])[];

/** @param labels in any order, each once */
export function metricName(base: string, labels: Labels): string {
  return escaped(base) + labelSuffix(labels);
}

/** What follows the base of a name. @param labels in any order, each once */
export function labelSuffix(labels: Labels): string {
  if (labels.length === 0) return '';
  const sorted = labels.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return sorted.map(([label, value]) => `;${escaped(label).replaceAll('=', '\\=')}=${escaped(value)}`).join('');
}

export function escaped(text: string): string {
  return SPECIAL.test(text) ? text.replaceAll(/[\\;]/g, (character) => `\\${character}`) : text;
}

/** The parts of a name. Of one that nobody made so, all is its base. */
export function partsOfName(name: string): { readonly base: string; readonly labels: Labels } {
  const [base = '', ...rest] = splitAt(name, ';');
  const labels: (readonly [string, string])[] = [];
  for (const part of rest) {
    const [label = '', ...value] = splitAt(part, '=');
    if (label === '' || value.length === 0) return { base: name, labels: [] };
    labels.push([unescaped(label), unescaped(value.join('='))]);
  }
  return { base: unescaped(base), labels };
}

const SPECIAL = /[\\;]/;

/** Cuts at each separator that has no `\` before it. */
function splitAt(text: string, separator: string): string[] {
  const parts: string[] = [];
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === separator) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}

function unescaped(text: string): string {
  return text.replaceAll(/\\([\\;=])/g, '$1');
}
