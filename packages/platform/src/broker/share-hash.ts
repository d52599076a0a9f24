/** FNV-1a over the code units of a text, mixed: 32 bits, the same in every thread and node. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}

/** The finalizer of MurmurHash3: each bit of what comes in changes about half of what goes out. */
export function mix(bits: number): number {
  let hash = bits;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** More than 0, less than 1. */
export function fraction(hash: number): number {
  return ((hash >>> 0) + 0.5) / 0x1_0000_0000;
}

/**
 * Jump consistent hash (Lamping and Veach, 2014): spreads hashes evenly over `count` places, so that with one place more or less at
 * the end only those that must move do. O(log count).
 */
export function jump(hash: number, count: number): number {
  let state = hash;
  let place = 0;
  for (let next = 0; next < count;) {
    place = next;
    state = (state + GOLDEN) | 0;
    next = Math.floor((place + 1) / fraction(mix(state)));
  }
  return place;
}

const GOLDEN = 0x9e3779b9;
