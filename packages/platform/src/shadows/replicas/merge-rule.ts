import { SelsynError } from '../../kernel/errors.ts';
import { sameJson } from '../same-json.ts';
import type { Json, LeafStamp, Section, ShadowClock, ShadowDocument } from '../shadow-document.ts';
import type { RuleContext, ShadowOutcome } from '../shadow-rule.ts';
import { conflictOf, keyOfConflict, type Conflict } from './conflict.ts';
import { patchBetween } from './json-patch.ts';
import { isEmptyLeaf, leavesOf, sectionOfLeaves, type Leaf, type Leaves } from './leaves.ts';
import { choiceBy, type MergePolicy } from './merge-policy.ts';
import { MAX_REPLICAS, type ReplicaReport } from './merge-report.ts';
import { CLOUD, covers, dotOf } from './replica-clock.ts';
import { mergeReplicas, type Choice, type Concurrent, type Decide, type ReplicaState } from './replica-merge.ts';

/** What a script said of one conflict: a value, null where the field is to go; or nothing, then the later write counts. */
export type ScriptChoice = { readonly value: Json } | undefined;

/** How fields are merged that were written on both sides. */
export interface MergeHow {
  readonly policy: MergePolicy;
  /** Of `custom`: by keyOfConflict. A merge with a conflict that is not in it does not happen. Undefined: the later write counts. */
  readonly choices?: ReadonlyMap<string, ScriptChoice> | undefined;
  /** Of `custom`: why there are no choices. */
  readonly fault?: string | undefined;
}

export interface MergeResult {
  readonly outcome: ShadowOutcome;
  readonly conflicts: readonly Conflict[];
  /** Conflicts that the script is to be asked about first. */
  readonly unasked: readonly Concurrent[];
  /** Why it is not merged at all. */
  readonly refusal?: SelsynError | undefined;
}

const SECTIONS = ['desired', 'reported'] as const;
const UNCHANGED: MergeResult = { outcome: { kind: 'unchanged' }, conflicts: [], unasked: [] };

/** What becomes of a shadow when an edge replica tells what it has made of it. Pure. The report was checked. */
export function mergeReport(
  document: ShadowDocument | undefined,
  report: ReplicaReport,
  how: MergeHow,
  context: RuleContext,
): MergeResult {
  const ours = stateOf(document, context);
  const heard = ours.clock[report.replica] ?? 0;
  if ((report.clock[report.replica] ?? 0) < heard) return { ...UNCHANGED, refusal: isBehind(report.replica, heard) };
  const judge = new Judge(how, context);
  const { state } = mergeReplicas(ours, theirsOf(document, ours, report, context), judge.decide);
  const names = Object.keys(state.clock);
  if (names.length > MAX_REPLICAS + 1) return { ...UNCHANGED, refusal: tooMany() };
  const settled = how.policy === 'reported-wins' ? heedReported(state, ours, report.clock, judge) : state;
  if (judge.unasked.length > 0) return { ...UNCHANGED, unasked: judge.unasked };
  const conflicts = judge.conflicts;
  // It becomes another one: its versions of then, which edges have seen, are given again.
  const base = isSetBack(document, report) ? { ...document, createdAtMs: context.nowMs } : document;
  if (base === document && conflicts.length === 0 && SECTIONS.every((section) => sameLeaves(ours[section], settled[section])))
    return UNCHANGED;
  return { outcome: putOf(base, ours, settled, context), conflicts, unasked: [] };
}

/** Decides, and keeps what it decided. */
class Judge {
  readonly conflicts: Conflict[] = [];
  readonly unasked: Concurrent[] = [];
  readonly #how: MergeHow;
  readonly #context: RuleContext;

  constructor(how: MergeHow, context: RuleContext) {
    this.#how = how;
    this.#context = context;
  }

  readonly decide: Decide = (concurrent) => {
    const { policy, fault } = this.#how;
    if (policy !== 'custom') return this.note(concurrent, choiceBy(policy, concurrent), policy);
    const choice = this.#custom(concurrent);
    if (choice === undefined) return this.note(concurrent, choiceBy('last-write', concurrent), 'last-write', fault);
    return this.note(concurrent, choice, 'custom');
  };

  note(concurrent: Concurrent, choice: Choice, by: MergePolicy, fault?: string): Choice {
    this.conflicts.push(conflictOf(concurrent, choice, by, fault));
    return choice;
  }

  /** A write of now. */
  get stamp(): LeafStamp {
    return [Math.floor(this.#context.nowMs / 1000), this.#context.nextVersion];
  }

  #custom(concurrent: Concurrent): Choice | undefined {
    const { choices } = this.#how;
    if (choices === undefined) return undefined;
    const key = keyOfConflict(concurrent);
    if (!choices.has(key)) this.unasked.push(concurrent);
    const said = choices.get(key);
    if (said === undefined) return undefined;
    if (sameJson(said.value, concurrent.ours.value)) return { chosen: 'ours' };
    if (sameJson(said.value, concurrent.theirs.value)) return { chosen: 'theirs' };
    return { chosen: 'merged', value: said.value ?? undefined, stamp: this.stamp };
  }
}

function stateOf(document: ShadowDocument | undefined, { nextVersion }: RuleContext): ReplicaState {
  return {
    desired: leavesOf(document?.desired, document?.stamps.desired),
    reported: leavesOf(document?.reported, document?.stamps.reported),
    clock: { ...document?.clock, [CLOUD]: document?.version ?? nextVersion - 1 },
  };
}

/** In the place of CLOUD: a write of this server that it knows nothing of. No replica can have this name. */
const FORGOTTEN = `${CLOUD}/forgotten`;

/** This server was set back to a backup: the edge has seen versions that there are no more. */
function isSetBack(document: ShadowDocument | undefined, report: ReplicaReport): document is ShadowDocument {
  return document !== undefined && report.createdAtMs === document.createdAtMs && (report.clock[CLOUD] ?? 0) > document.version;
}

/**
 * What the report says, as far as it is about this shadow. A shadow that was deleted meanwhile, and perhaps made again, is another one:
 * what the edge had from here is gone, and it has seen nothing of the new one. Where it has seen more of this one than there ever was,
 * this server was set back to a backup: what the edge has from then is as good as written there.
 */
function theirsOf(
  document: ShadowDocument | undefined,
  ours: ReplicaState,
  report: ReplicaReport,
  { nowMs }: RuleContext,
): ReplicaState {
  const isSame = document !== undefined && report.createdAtMs === document.createdAtMs;
  const isAhead = isSetBack(document, report);
  const nowSec = Math.floor(nowMs / 1000);
  const leaves = (section: Section): Leaves => {
    const kept = new Map<string, Leaf>();
    for (const [pointer, leaf] of leavesOf(report[section], report.stamps[section])) {
      const [timestampSec, counter, replica = CLOUD] = leaf.stamp;
      const isFromHere = replica === CLOUD && !isEmptyLeaf(leaf);
      if (isFromHere && !isSame) continue;
      // A clock that is fast would win for ever.
      const atSec = Math.min(timestampSec, nowSec);
      const stamp: LeafStamp = replica === CLOUD ? [atSec, counter] : [atSec, counter, replica];
      const isForgotten = isFromHere && isAhead && !isSameLeaf(leaf, ours[section].get(pointer));
      kept.set(pointer, { ...leaf, stamp: isForgotten ? [atSec, counter, FORGOTTEN] : stamp });
    }
    return kept;
  };
  const clock = isSame && !isAhead ? report.clock : without(report.clock, CLOUD);
  return { desired: leaves('desired'), reported: leaves('reported'), clock };
}

/**
 * For `reported-wins`: where, while they were apart, something was desired here and the edge reported something else, the device was set
 * on the spot, and that is desired from now on.
 */
function heedReported(state: ReplicaState, ours: ReplicaState, seenThere: ShadowClock, judge: Judge): ReplicaState {
  const desired = new Map(state.desired);
  for (const [pointer, wanted] of state.desired) {
    const said = state.reported.get(pointer);
    if (said === undefined || sameJson(wanted.value, said.value)) continue;
    if (covers(seenThere, dotOf(wanted.stamp)) || covers(ours.clock, dotOf(said.stamp))) continue;
    judge.note({ section: 'desired', path: wanted.path, ours: wanted, theirs: said }, { chosen: 'theirs' }, 'reported-wins');
    desired.set(pointer, { ...said, stamp: judge.stamp });
  }
  return { ...state, desired };
}

function putOf(
  document: ShadowDocument | undefined,
  ours: ReplicaState,
  state: ReplicaState,
  context: RuleContext,
): ShadowOutcome {
  const sections = { desired: section('desired'), reported: section('reported') };
  function section(name: Section) {
    if (sameLeaves(ours[name], state[name]))
      return { value: document?.[name], stamps: document?.stamps[name], written: undefined };
    const made = sectionOfLeaves(renewed(state[name], context));
    return { ...made, written: made === undefined ? null : patchBetween(document?.[name] ?? {}, made.value) };
  }
  const clock = without(state.clock, CLOUD);
  return {
    kind: 'put',
    written: { desired: sections.desired.written, reported: sections.reported.written },
    document: {
      version: context.nextVersion,
      desired: sections.desired.value,
      reported: sections.reported.value,
      inherited: document?.inherited,
      stamps: { desired: sections.desired.stamps, reported: sections.reported.stamps, inherited: document?.stamps.inherited },
      clock,
      createdAtMs: document?.createdAtMs ?? context.nowMs,
      updatedAtMs: context.nowMs,
    },
  };
}

/** What was forgotten is written again now: the counts of then are given to other writes. */
function renewed(leaves: Leaves, { nextVersion }: RuleContext): Leaves {
  const kept = new Map<string, Leaf>();
  for (const [pointer, leaf] of leaves) {
    const [timestampSec, , replica] = leaf.stamp;
    kept.set(pointer, replica === FORGOTTEN ? { ...leaf, stamp: [timestampSec, nextVersion] } : leaf);
  }
  return kept;
}

function sameLeaves(one: Leaves, other: Leaves): boolean {
  if (one.size !== other.size) return false;
  for (const [pointer, leaf] of one) if (!isSameLeaf(leaf, other.get(pointer))) return false;
  return true;
}

function isSameLeaf(leaf: Leaf, other: Leaf | undefined): boolean {
  if (other === undefined) return false;
  const [a, b] = [dotOf(leaf.stamp), dotOf(other.stamp)];
  return a.replica === b.replica && a.counter === b.counter && sameJson(leaf.value, other.value);
}

function without(clock: ShadowClock, replica: string): ShadowClock {
  return Object.fromEntries(Object.entries(clock).filter(([name]) => name !== replica));
}

function isBehind(replica: string, counter: number): SelsynError {
  return new SelsynError('shadow.conflict', `${replica} has written ${counter} times already: count on from there`, {
    details: { replica, counter },
  });
}

function tooMany(): SelsynError {
  return new SelsynError('shadow.invalid', `a shadow has at most ${MAX_REPLICAS} replicas`, { details: { field: 'clock' } });
}
