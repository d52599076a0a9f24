import type { JsonObject, Section, ShadowClock } from '../shadow-document.ts';
import { leavesOf, type Leaf, type Leaves } from './leaves.ts';
import { choiceBy, type MergePolicy } from './merge-policy.ts';
import type { ReplicaReport } from './merge-report.ts';
import { CLOUD, dotOf } from './replica-clock.ts';
import { mergeReplicas, type Merged, type ReplicaState } from './replica-merge.ts';

/** What an edge gets back. */
export interface EdgeAnswer {
  readonly version: number;
  readonly createdAtMs: number;
  readonly clock: ShadowClock;
  readonly state: { readonly desired?: JsonObject | undefined; readonly reported?: JsonObject | undefined };
  readonly stamps: ReplicaReport['stamps'];
}

/** What an edge has: what it was told, and what it has written since. */
export interface EdgeShadow {
  readonly state: ReplicaState;
  /** Of the shadow that it got; undefined: it never got it. */
  readonly createdAtMs: number | undefined;
}

/**
 * What an edge does with the answer to its report: what it wrote meanwhile is merged with it. Pure.
 *
 * A shadow that is another one now (it was deleted, or the server was set back to a backup) takes the place of the one before: what the
 * edge had from there goes.
 *
 * @param policy of `custom` only the server has the script: what was written meanwhile is decided by another one, and told by the caller.
 */
export function mergeAnswer(edge: EdgeShadow, answer: EdgeAnswer, policy: Exclude<MergePolicy, 'custom'>): Merged {
  const theirs: ReplicaState = {
    desired: leavesOf(answer.state.desired, answer.stamps.desired),
    reported: leavesOf(answer.state.reported, answer.stamps.reported),
    clock: { ...answer.clock, [CLOUD]: answer.version },
  };
  const ours = edge.createdAtMs === answer.createdAtMs ? edge.state : withoutCloud(edge.state);
  return mergeReplicas(ours, theirs, (concurrent) => choiceBy(policy, concurrent, 'theirs'));
}

function withoutCloud(state: ReplicaState): ReplicaState {
  const own = (section: Section): Leaves =>
    new Map([...state[section]].filter(([, leaf]: readonly [string, Leaf]) => dotOf(leaf.stamp).replica !== CLOUD));
  const clock = Object.fromEntries(Object.entries(state.clock).filter(([replica]) => replica !== CLOUD));
  return { desired: own('desired'), reported: own('reported'), clock };
}
