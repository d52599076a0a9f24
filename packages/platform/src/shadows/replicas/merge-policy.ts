import { compareWrites } from './replica-clock.ts';
import type { Choice, Concurrent } from './replica-merge.ts';

/**
 * What is done with fields that were written on both sides. `last-write`: the later one counts, by time, then by the name of the replica.
 * `desired-wins`: the cloud's, which says what is wanted. `reported-wins`: the edge's, which is where the device is.
 * `custom`: a script of the user says.
 */
export const MERGE_POLICIES = ['last-write', 'desired-wins', 'reported-wins', 'custom'] as const;
export type MergePolicy = (typeof MERGE_POLICIES)[number];

/** @param cloud which side this server is: an edge that takes an answer is on the other one. */
export function choiceBy(
  policy: Exclude<MergePolicy, 'custom'>,
  concurrent: Concurrent,
  cloud: 'ours' | 'theirs' = 'ours',
): Choice {
  switch (policy) {
    case 'desired-wins':
      return { chosen: cloud };
    case 'reported-wins':
      return { chosen: cloud === 'ours' ? 'theirs' : 'ours' };
    case 'last-write':
      return { chosen: compareWrites(concurrent.ours.stamp, concurrent.theirs.stamp) >= 0 ? 'ours' : 'theirs' };
  }
}
