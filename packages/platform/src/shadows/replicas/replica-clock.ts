import type { LeafStamp, ShadowClock } from '../shadow-document.ts';

/** The replica that this server is: a leaf without a replica in its stamp was written here, its count is the version. */
export const CLOUD = 'cloud';

/** Names one write: the replica that made it, and its how manyth it was. */
export interface Dot {
  readonly replica: string;
  readonly counter: number;
}

export function dotOf([, counter, replica = CLOUD]: LeafStamp): Dot {
  return { replica, counter };
}

/** Whether one who has this clock has seen the write: it has it, or something that came after it, or has taken it away. */
export function covers(clock: ShadowClock, { replica, counter }: Dot): boolean {
  return (Object.hasOwn(clock, replica) ? (clock[replica] ?? 0) : 0) >= counter;
}

/** What both have seen together. */
export function joinClocks(one: ShadowClock, other: ShadowClock): ShadowClock {
  const joined = new Map(Object.entries(one));
  for (const [replica, counter] of Object.entries(other)) joined.set(replica, Math.max(counter, joined.get(replica) ?? 0));
  return Object.fromEntries(joined);
}

/** The order of writes that did not know of each other: by time, then by replica, then by count. Negative: the first is earlier. */
export function compareWrites(one: LeafStamp, other: LeafStamp): number {
  if (one[0] !== other[0]) return one[0] - other[0];
  const [a, b] = [dotOf(one), dotOf(other)];
  if (a.replica !== b.replica) return a.replica < b.replica ? -1 : 1;
  return a.counter - b.counter;
}
