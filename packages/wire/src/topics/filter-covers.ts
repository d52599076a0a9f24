/**
 * Whether `pattern` matches every topic that `filter` matches. Both are valid filters without a `$share` prefix. O(length).
 *
 * Level by level a pattern takes what it equals, `+` takes any one level, and `#` all that follows. Wildcards in the first level
 * match no topic that begins with `$` [MQTT-4.7.2-1].
 */
export function filterCovers(pattern: string, filter: string): boolean {
  if (filter.startsWith('$') && (pattern.startsWith('+') || pattern.startsWith('#'))) return false;
  const wanted = pattern.split('/');
  const given = (WITH_CHILDREN_ONLY.get(filter) ?? filter).split('/');
  for (const [depth, level] of wanted.entries()) {
    // `a/#` matches `a` too: where the filter ends, only this may follow.
    if (level === '#') return true;
    const other = given[depth];
    if (other === undefined || other === '#') return false;
    if (level !== '+' && level !== other) return false;
  }
  return given.length === wanted.length;
}

/** Where `#` has no parent that it could match, as no topic is empty [MQTT-4.7.3-1], another filter matches the same topics. */
const WITH_CHILDREN_ONLY: ReadonlyMap<string, string> = new Map([
  ['#', '+/#'],
  ['/#', '/+/#'],
]);
