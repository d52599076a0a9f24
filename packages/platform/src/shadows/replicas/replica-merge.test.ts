import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sameJson } from '../same-json.ts';
import { writeLeaf } from './edge-replica.fixture.ts';
import { leavesOf, sectionOfLeaves } from './leaves.ts';
import { choiceBy } from './merge-policy.ts';
import { compareWrites, covers, dotOf } from './replica-clock.ts';
import { mergeReplicas, type Decide, type ReplicaState } from './replica-merge.ts';

const lastWrite: Decide = (concurrent) => choiceBy('last-write', concurrent);
const merge = (one: ReplicaState, other: ReplicaState): ReplicaState => mergeReplicas(one, other, lastWrite).state;
const plain = ({ desired, reported, clock }: ReplicaState) => ({
  desired: sectionOfLeaves(desired) ?? {},
  reported: sectionOfLeaves(reported) ?? {},
  clock,
});

const NAMES = ['a', 'b', 'cloud'] as const;
const FLAT = [['x'], ['y'], ['z~/']];
const NESTED = [...FLAT, ['x', 'p'], ['x', 'q'], ['x', 'p', 'r'], ['constructor'], ['y', '__proto__x']];

type Step =
  | { readonly kind: 'write'; readonly at: number; readonly path: number; readonly value: number | null; readonly after: number }
  | { readonly kind: 'sync'; readonly at: number; readonly from: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      at: fc.nat(2),
      path: fc.nat(20),
      value: fc.option(fc.nat(3), { nil: null }),
      after: fc.nat(3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sync' as const), at: fc.nat(2), from: fc.nat(2) }) },
);

/** Three replicas that came to be what they are by writing, and by taking what another one had. Their clocks may be wrong by a lot. */
function replicasAfter(steps: readonly Step[], paths: readonly (readonly string[])[], clocks: 'any' | 'right'): ReplicaState[] {
  const states: ReplicaState[] = NAMES.map(() => ({ desired: new Map(), reported: new Map(), clock: {} }));
  let now = 1;
  for (const each of steps) {
    const state = states[each.at]!;
    if (each.kind === 'sync') {
      states[each.at] = merge(state, states[each.from]!);
      continue;
    }
    const replica = NAMES[each.at]!;
    const counter = (state.clock[replica] ?? 0) + 1;
    const path = paths[each.path % paths.length]!;
    const timestampSec = clocks === 'right' ? now++ : each.after;
    const stamp = [timestampSec, counter, ...(replica === 'cloud' ? [] : [replica])] as unknown as readonly [
      number,
      number,
      string,
    ];
    const leaf = each.value === null ? undefined : { path, value: each.value, stamp };
    states[each.at] = {
      ...state,
      reported: writeLeaf(state.reported, path, leaf),
      clock: { ...state.clock, [replica]: counter },
    };
  }
  return states;
}

const histories = fc.array(step, { maxLength: 25 });
const RUNS = { numRuns: 1500 };

test('it does not matter who merges whom', () => {
  fc.assert(
    fc.property(histories, (steps) => {
      const [a, b] = replicasAfter(steps, NESTED, 'any');
      expect(plain(merge(a!, b!))).toEqual(plain(merge(b!, a!)));
    }),
    RUNS,
  );
});

test('merging again changes nothing', () => {
  fc.assert(
    fc.property(histories, (steps) => {
      const [a, b] = replicasAfter(steps, NESTED, 'any');
      expect(plain(merge(a!, a!))).toEqual(plain(a!));
      const once = merge(a!, b!);
      expect(plain(merge(once, b!))).toEqual(plain(once));
      expect(plain(merge(once, a!))).toEqual(plain(once));
      expect(mergeReplicas(once, b!, lastWrite).decided).toEqual([]);
    }),
    RUNS,
  );
});

test('nor in which order three are merged, where each write has a later time than those it had seen, and nothing is taken away', () => {
  const writes = histories.map((steps) =>
    steps.map((each) => (each.kind === 'write' ? { ...each, value: each.value ?? 9 } : each)),
  );
  fc.assert(
    fc.property(writes, (steps) => {
      const [a, b, c] = replicasAfter(steps, FLAT, 'right');
      expect(plain(merge(merge(a!, b!), c!))).toEqual(plain(merge(a!, merge(b!, c!))));
    }),
    RUNS,
  );
});

test('no write is lost: it is kept, or the other side had seen it, or it was decided about', () => {
  fc.assert(
    fc.property(histories, fc.constantFrom('ours', 'theirs'), (steps, side) => {
      const [a, b] = replicasAfter(steps, NESTED, 'any');
      const { state, decided } = mergeReplicas(a!, b!, () => ({ chosen: side }));
      for (const [own, other] of [
        [a!, b!],
        [b!, a!],
      ] as const) {
        for (const leaf of own.reported.values()) {
          const isKept = [...state.reported.values()].some(
            (each) => sameJson([...each.path], [...leaf.path]) && each.value === leaf.value,
          );
          const isSeen = covers(other.clock, dotOf(leaf.stamp));
          const isDecided = decided.some(({ path }) => path.every((key, index) => leaf.path[index] === key));
          expect(isKept || isSeen || isDecided).toBe(true);
        }
      }
      // And nothing is there that neither side had.
      for (const [pointer, leaf] of state.reported) {
        expect([a!.reported.get(pointer)?.stamp, b!.reported.get(pointer)?.stamp]).toContainEqual(leaf.stamp);
      }
    }),
    RUNS,
  );
});

test('what is merged is a document: no value stands within another one', () => {
  fc.assert(
    fc.property(histories, (steps) => {
      const [a, b] = replicasAfter(steps, NESTED, 'any');
      const { reported } = merge(a!, b!);
      const section = sectionOfLeaves(reported);
      const again = leavesOf(section?.value, section?.stamps);
      expect(new Map(again)).toEqual(new Map(reported));
    }),
    RUNS,
  );
});

test('only what neither side had seen of the other is decided about, and only where it differs', () => {
  fc.assert(
    fc.property(histories, (steps) => {
      const [a, b] = replicasAfter(steps, NESTED, 'any');
      for (const { ours, theirs } of mergeReplicas(a!, b!, lastWrite).decided) {
        expect(covers(b!.clock, dotOf(ours.stamp))).toBe(covers(a!.clock, dotOf(theirs.stamp)));
        expect(sameJson(ours.value, theirs.value)).toBe(false);
      }
    }),
    RUNS,
  );
});

test('the order of writes is total: by time, then by replica, then by count', () => {
  const stamp = fc.tuple(fc.nat(2), fc.nat(2), fc.constantFrom('a', 'b', 'cloud'));
  fc.assert(
    fc.property(stamp, stamp, stamp, (a, b, c) => {
      expect(Math.sign(compareWrites(a, b))).toBe(-Math.sign(compareWrites(b, a)) + 0);
      if (compareWrites(a, b) === 0) expect(a).toEqual(b);
      if (compareWrites(a, b) < 0 && compareWrites(b, c) < 0) expect(compareWrites(a, c)).toBeLessThan(0);
    }),
  );
});

function stateOf(value: object, stamps: object, clock: Readonly<Record<string, number>>): ReplicaState {
  return { desired: new Map(), reported: leavesOf(value as never, stamps as never), clock };
}

test('a field that one side has taken away goes, one that it never saw stays', () => {
  const ours = stateOf({ old: 1, fresh: 2 }, { old: [5, 1], fresh: [5, 3] }, { cloud: 3 });
  const theirs = stateOf({}, {}, { cloud: 2, edge: 1 });
  expect(plain(merge(ours, theirs)).reported).toEqual({ value: { fresh: 2 }, stamps: { fresh: [5, 3] } });
});

test('of two writes the one that had seen the other counts, whatever their clocks say', () => {
  const ours = stateOf({ mode: 'auto' }, { mode: [900, 4] }, { cloud: 4 });
  const theirs = stateOf({ mode: 'off' }, { mode: [100, 7, 'edge'] }, { cloud: 4, edge: 7 });
  const { state, decided } = mergeReplicas(ours, theirs, lastWrite);
  expect([plain(state).reported, decided]).toEqual([{ value: { mode: 'off' }, stamps: { mode: [100, 7, 'edge'] } }, []]);
});

test('a value here and an object there, each new to the other side, are one conflict', () => {
  const ours = stateOf({ fan: 'off' }, { fan: [9, 5] }, { cloud: 5 });
  const theirs = stateOf(
    { fan: { speed: 1, deep: { a: [1] } } },
    { fan: { speed: [8, 1, 'edge'], deep: { a: [10, 2, 'edge'] } } },
    { edge: 2 },
  );
  const { state, decided } = mergeReplicas(ours, theirs, lastWrite);
  expect(decided).toEqual([
    {
      section: 'reported',
      path: ['fan'],
      ours: expect.objectContaining({ value: 'off', stamp: [9, 5] }),
      theirs: { value: { speed: 1, deep: { a: [1] } }, stamp: [10, 2, 'edge'] },
      choice: { chosen: 'theirs' },
    },
  ]);
  expect(plain(state).reported).toMatchObject({ value: { fan: { speed: 1, deep: { a: [1] } } } });
  const merged = mergeReplicas(ours, theirs, () => ({ chosen: 'merged', value: { speed: 0, none: null }, stamp: [11, 6] }));
  expect(plain(merged.state).reported).toEqual({ value: { fan: { speed: 0 } }, stamps: { fan: { speed: [11, 6] } } });
  const gone = mergeReplicas(theirs, ours, () => ({ chosen: 'merged', value: undefined, stamp: [11, 6] }));
  expect(plain(gone.state).reported).toEqual({});
});

test('the same value written on both sides is no conflict', () => {
  const ours = stateOf({ a: [1, { b: 2 }] }, { a: [5, 1] }, { cloud: 1 });
  const theirs = stateOf({ a: [1, { b: 2 }] }, { a: [6, 1, 'edge'] }, { edge: 1 });
  const { state, decided } = mergeReplicas(ours, theirs, lastWrite);
  expect([plain(state).reported, decided]).toMatchObject([{ stamps: { a: [6, 1, 'edge'] } }, []]);
});
