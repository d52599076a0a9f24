import { MAX_TOPIC_BYTES } from './topic-name.ts';
import { utf8LengthExceeds } from './utf8-length.ts';

/** `$share/{group}/{filter}`, taken apart [MQTT-4.8.2-1]. */
export interface SharedFilter {
  readonly group: string;
  readonly filter: string;
}

/**
 * Whether a client may subscribe to this filter: not empty [MQTT-4.7.3-1], `#` alone in the last level [MQTT-4.7.1-1], `+` alone
 * in its level [MQTT-4.7.1-2], no U+0000 [MQTT-4.7.3-2], well-formed, at most 65,535 UTF-8 bytes [MQTT-4.7.3-3]. One that begins
 * with `$share/` must be a whole shared filter.
 */
export function isValidTopicFilter(filter: string): boolean {
  if (!filter.isWellFormed() || utf8LengthExceeds(filter, MAX_TOPIC_BYTES)) return false;
  return filter.startsWith(SHARE_PREFIX) ? parseSharedFilter(filter) !== undefined : areValidLevels(filter, 0);
}

/**
 * Takes a shared filter apart. Undefined where the filter is not shared, and where it begins with `$share/` but has an empty group,
 * a wildcard in the group [MQTT-4.8.2-2], or no valid filter behind it: {@link isValidTopicFilter} tells the two apart.
 */
export function parseSharedFilter(filter: string): SharedFilter | undefined {
  if (!filter.startsWith(SHARE_PREFIX)) return undefined;
  const slash = filter.indexOf('/', SHARE_PREFIX.length);
  if (slash <= SHARE_PREFIX.length) return undefined;
  const group = filter.slice(SHARE_PREFIX.length, slash);
  if (/[+#\0]/.test(group)) return undefined;
  return areValidLevels(filter, slash + 1) ? { group, filter: filter.slice(slash + 1) } : undefined;
}

/**
 * Whether a valid filter, without a `$share` prefix, matches a valid topic name. A wildcard in the first level matches no topic
 * that begins with `$` [MQTT-4.7.2-1]; `a/#` matches `a` too. O(length), nothing is allocated.
 */
export function filterMatches(filter: string, topic: string): boolean {
  const first = filter.charCodeAt(0);
  if ((first === HASH || first === PLUS) && topic.charCodeAt(0) === DOLLAR) return false;
  let t = 0;
  for (let f = 0; f < filter.length; f++) {
    const code = filter.charCodeAt(f);
    if (code === HASH) return true;
    if (code === PLUS) {
      while (t < topic.length && topic.charCodeAt(t) !== SLASH) t++;
    } else if (t < topic.length) {
      if (topic.charCodeAt(t) !== code) return false;
      t++;
    } else {
      // The topic is at its end: only `/#` still matches, as `#` stands for its parent level too.
      return code === SLASH && f === filter.length - 2 && filter.charCodeAt(f + 1) === HASH;
    }
  }
  return t === topic.length;
}

function areValidLevels(filter: string, from: number): boolean {
  if (from >= filter.length) return false;
  for (let i = from; i < filter.length; i++) {
    const code = filter.charCodeAt(i);
    if (code === 0) return false;
    if (code !== HASH && code !== PLUS) continue;
    const startsLevel = i === from || filter.charCodeAt(i - 1) === SLASH;
    const endsLevel = i === filter.length - 1 || (code === PLUS && filter.charCodeAt(i + 1) === SLASH);
    if (!startsLevel || !endsLevel) return false;
  }
  return true;
}

const SHARE_PREFIX = '$share/';
const HASH = 0x23;
const DOLLAR = 0x24;
const PLUS = 0x2b;
const SLASH = 0x2f;
