import { sameJson } from '../same-json.ts';
import type { Json, LeafStamp, Section, ShadowClock } from '../shadow-document.ts';
import { compareWrites, covers, dotOf, joinClocks } from './replica-clock.ts';
import { isEmptyLeaf, leavesOf, pointerOf, sectionOfLeaves, type Leaf, type Leaves } from './leaves.ts';

/** What one of those who have a shadow knows of it. */
export interface ReplicaState {
  readonly desired: Leaves;
  readonly reported: Leaves;
  /** Of all whose writes it has seen, CLOUD included. */
  readonly clock: ShadowClock;
}

/** What one side says of a field: a value, or the part of the document below it. */
export interface Claim {
  readonly value: Json;
  /** Of the last write in it. */
  readonly stamp: LeafStamp;
}

/** Both sides wrote a field, and neither knew of the other's write. */
export interface Concurrent {
  readonly section: Section;
  readonly path: readonly string[];
  readonly ours: Claim;
  readonly theirs: Claim;
}

export type Choice =
  | { readonly chosen: 'ours' | 'theirs' }
  /** Something else, written now; undefined: neither, the field goes. */
  | { readonly chosen: 'merged'; readonly value: Json | undefined; readonly stamp: LeafStamp };

/** What is written on which concurrent field. */
export type Decide = (concurrent: Concurrent) => Choice;

export interface Merged {
  readonly state: ReplicaState;
  /** Fields that were written on both sides, to different values, and what became of them. */
  readonly decided: readonly (Concurrent & { readonly choice: Choice })[];
}

/**
 * Merges what two replicas have made of a shadow while they were apart, field by field.
 *
 * A write is known by its dot; a clock says which writes one has seen. A field that one side has and the other does not was taken away
 * there if its write has been seen there, else it is new. Of two writes to a field the one that had seen the other counts. Where neither
 * had, they are concurrent: `decide` is asked, unless both wrote the same. A write counts more than a removal that had not seen it.
 *
 * Pure. Commutative, if `decide` does not care about sides; idempotent; never loses a field that was not decided about. Associative only
 * as long as nothing is taken away and times are right: a decision leaves nothing of the write that lost. All edges of a shadow merge with
 * this server, one after the other, so all of them come to the same document nevertheless.
 */
export function mergeReplicas(ours: ReplicaState, theirs: ReplicaState, decide: Decide): Merged {
  const decided: (Concurrent & { readonly choice: Choice })[] = [];
  const ask: Decide = (concurrent) => {
    const choice = decide(concurrent);
    decided.push({ ...concurrent, choice });
    return choice;
  };
  const section = (name: Section): Leaves =>
    mergeSection(name, { leaves: ours[name], clock: ours.clock }, { leaves: theirs[name], clock: theirs.clock }, ask);
  const state = { desired: section('desired'), reported: section('reported'), clock: joinClocks(ours.clock, theirs.clock) };
  return { state, decided };
}

interface Side {
  readonly leaves: Leaves;
  readonly clock: ShadowClock;
}

function mergeSection(section: Section, ours: Side, theirs: Side, decide: Decide): Leaves {
  const kept = { ours: new Map<string, Leaf>(), theirs: new Map<string, Leaf>() };
  const merged = new Map<string, Leaf>();
  for (const [pointer, leaf] of ours.leaves) {
    const other = theirs.leaves.get(pointer);
    if (other !== undefined) mergeLeaf(section, pointer, [leaf, ours.clock], [other, theirs.clock], decide, merged);
    else if (!covers(theirs.clock, dotOf(leaf.stamp))) kept.ours.set(pointer, leaf);
  }
  for (const [pointer, leaf] of theirs.leaves) {
    if (!ours.leaves.has(pointer) && !covers(ours.clock, dotOf(leaf.stamp))) kept.theirs.set(pointer, leaf);
  }
  settleClashes(section, kept, decide, merged);
  for (const leaves of [kept.ours, kept.theirs]) for (const [pointer, leaf] of leaves) merged.set(pointer, leaf);
  return merged;
}

function mergeLeaf(
  section: Section,
  pointer: string,
  [mine, myClock]: readonly [Leaf, ShadowClock],
  [yours, yourClock]: readonly [Leaf, ShadowClock],
  decide: Decide,
  into: Map<string, Leaf>,
): void {
  const [myDot, yourDot] = [dotOf(mine.stamp), dotOf(yours.stamp)];
  // An empty object is what is left of others: a value that it has not seen counts more.
  if (isEmptyLeaf(mine)) return void into.set(pointer, isEmptyLeaf(yours) || covers(myClock, yourDot) ? mine : yours);
  if (isEmptyLeaf(yours)) return void into.set(pointer, covers(yourClock, myDot) ? yours : mine);
  const same = sameJson(mine.value, yours.value);
  if (same && myDot.replica === yourDot.replica && myDot.counter === yourDot.counter) {
    // The time of a write may have been corrected on its way.
    into.set(pointer, mine.stamp[0] <= yours.stamp[0] ? mine : yours);
    return;
  }
  const [isMineSeen, isYoursSeen] = [covers(yourClock, myDot), covers(myClock, yourDot)];
  if (isMineSeen !== isYoursSeen) into.set(pointer, isMineSeen ? yours : mine);
  else if (same) into.set(pointer, compareWrites(mine.stamp, yours.stamp) >= 0 ? mine : yours);
  else {
    const choice = decide({ section, path: mine.path, ours: mine, theirs: yours });
    if (choice.chosen !== 'merged') into.set(pointer, choice.chosen === 'ours' ? mine : yours);
    else putMerged(mine.path, choice, into);
  }
}

/** Where one side has a value and the other one, at the same place, an object with fields that the first has not seen. */
function settleClashes(
  section: Section,
  kept: { readonly ours: Map<string, Leaf>; readonly theirs: Map<string, Leaf> },
  decide: Decide,
  into: Map<string, Leaf>,
): void {
  for (const side of ['ours', 'theirs'] as const) {
    const other = side === 'ours' ? 'theirs' : 'ours';
    const below = byAncestor(kept[other]);
    for (const [pointer, leaf] of kept[side]) {
      const parts = below.get(pointer);
      if (parts === undefined) continue;
      const [whole, object] = [leaf, claimOf(leaf.path, parts)];
      const choice = decide({
        section,
        path: leaf.path,
        ours: side === 'ours' ? whole : object,
        theirs: side === 'ours' ? object : whole,
      });
      if (choice.chosen !== side) kept[side].delete(pointer);
      if (choice.chosen !== other) for (const part of parts) kept[other].delete(pointerOf(part.path));
      if (choice.chosen === 'merged') putMerged(leaf.path, choice, into);
    }
  }
}

function byAncestor(leaves: ReadonlyMap<string, Leaf>): ReadonlyMap<string, readonly Leaf[]> {
  const found = new Map<string, Leaf[]>();
  for (const leaf of leaves.values()) {
    for (let depth = 1; depth < leaf.path.length; depth++) {
      const pointer = pointerOf(leaf.path.slice(0, depth));
      const known = found.get(pointer);
      if (known === undefined) found.set(pointer, [leaf]);
      else known.push(leaf);
    }
  }
  return found;
}

function claimOf(path: readonly string[], parts: readonly Leaf[]): Claim {
  const inner = new Map(
    parts.map((leaf) => {
      const rest = leaf.path.slice(path.length);
      return [pointerOf(rest), { ...leaf, path: rest }];
    }),
  );
  const stamp = parts.map((leaf) => leaf.stamp).reduce((last, next) => (compareWrites(next, last) > 0 ? next : last));
  return { value: sectionOfLeaves(inner)?.value ?? {}, stamp };
}

function putMerged(
  path: readonly string[],
  { value, stamp }: Extract<Choice, { chosen: 'merged' }>,
  into: Map<string, Leaf>,
): void {
  if (value === undefined || value === null) return;
  for (const leaf of leavesOf({ value }, {}).values()) {
    if (leaf.value === null) continue;
    const whole = [...path, ...leaf.path.slice(1)];
    into.set(pointerOf(whole), { path: whole, value: leaf.value, stamp });
  }
}
