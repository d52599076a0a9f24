/** Whether a whole text is as the pattern says: `*` any characters or none, `?` any one. O(text x pattern) at worst. */
export function isLike(text: string, pattern: string): boolean {
  const [characters, wanted] = [Array.from(text), Array.from(pattern)];
  let at = 0;
  let want = 0;
  let star = -1;
  let resume = 0;
  while (at < characters.length) {
    if (wanted[want] === '*') {
      star = want++;
      resume = at;
    } else if (want < wanted.length && (wanted[want] === '?' || wanted[want] === characters[at])) {
      at++;
      want++;
    } else if (star >= 0) {
      want = star + 1;
      at = ++resume;
    } else return false;
  }
  while (wanted[want] === '*') want++;
  return want === wanted.length;
}

/** What every such text begins with. */
export function prefixOf(pattern: string): string {
  return /^[^*?]*/.exec(pattern)?.[0] ?? '';
}

/** For prefixes, `abc*`. */
export function isPrefixOnly(pattern: string): boolean {
  return pattern.endsWith('*') && prefixOf(pattern).length === pattern.length - 1;
}

export const LIKE_ESCAPE = '\\';

/** The pattern for SQL's LIKE with `\` as the escape. Some engines also let letters of the other case through. */
export function toSqlLike(pattern: string): string {
  return pattern
    .replace(/[\\%_]/g, '\\$&')
    .replaceAll('*', '%')
    .replaceAll('?', '_');
}

/** The first text after all that begin with the prefix, byte by byte in UTF-8; undefined: there is none. */
export function afterPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0)!);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    // Between these two stand the halves of surrogate pairs, which are no characters.
    const next = last === 0xd7ff ? 0xe000 : last + 1;
    if (next <= 0x10ffff) return String.fromCodePoint(...points, next);
  }
  return undefined;
}
