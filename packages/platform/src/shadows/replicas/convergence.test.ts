import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Section } from '../shadow-document.ts';
import { actor, answerOf, KEY, openCloud, START_MS, sync, update } from './cloud.fixture.ts';
import { EdgeReplica } from './edge-replica.fixture.ts';
import { ANY } from './merge-policy-store.ts';

type Event =
  | {
      readonly kind: 'edge';
      readonly at: number;
      readonly section: Section;
      readonly path: number;
      readonly value: number | undefined;
    }
  | { readonly kind: 'cloud'; readonly section: Section; readonly path: number; readonly value: number | null }
  | { readonly kind: 'sync'; readonly at: number; readonly lost: 'no' | 'answer' | 'late'; readonly meanwhile: number };

const PATHS = [['a'], ['b'], ['c', 'x'], ['c', 'y'], ['c'], ['c', 'y', 'z'], ['toString']];
const section = fc.constantFrom<Section>('desired', 'reported');
const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({
    kind: fc.constant('edge' as const),
    at: fc.nat(2),
    section,
    path: fc.nat(6),
    value: fc.option(fc.nat(3), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant('cloud' as const), section, path: fc.nat(6), value: fc.option(fc.nat(3), { nil: null }) }),
  fc.record({
    kind: fc.constant('sync' as const),
    at: fc.nat(2),
    lost: fc.constantFrom('no', 'no', 'answer', 'late'),
    meanwhile: fc.nat(6),
  }),
);

const MIXED =
  'function merge({ ours, theirs }) { if (typeof ours.value === "number" && typeof theirs.value === "number") return ours.value * 10 + theirs.value }';

test.each(['last-write', 'desired-wins', 'reported-wins', 'custom'] as const)(
  'by %s three edges and the cloud come to the same document, however they were apart and whatever was lost on the way',
  async (policy) => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 25 }), async (events) => {
        await using cloud = await openCloud();
        const edges = ['gw-1', 'gw-2', 'gw-3'].map((name) => new EdgeReplica(name));
        await cloud.replicas.putMergePolicy({
          deviceType: ANY,
          shadow: ANY,
          policy,
          ...(policy === 'custom' && { script: MIXED }),
          actor,
        });
        await update(cloud, 'desired', ['start'], true);
        let now = START_MS;
        for (const each of events) {
          cloud.clock.advance(700);
          now += 700;
          if (each.kind === 'cloud') await update(cloud, each.section, PATHS[each.path]!, each.value);
          else if (each.kind === 'edge')
            edges[each.at]!.write(each.section, PATHS[each.path]!, each.value, Math.floor(now / 1000));
          else {
            const edge = edges[each.at]!;
            const answer = await cloud.replicas.mergeShadow({ ...KEY, report: edge.report(), actor });
            // What is written while the answer is on its way is merged with it.
            if (each.lost === 'late') edge.write('reported', PATHS[each.meanwhile]!, 7, Math.floor(now / 1000));
            if (each.lost !== 'answer') edge.take(answerOf(answer), policy);
          }
        }
        // Once they are all reached again: a first round brings all here, a second one all there.
        for (let round = 0; round < 2; round++) for (const edge of edges) await sync(cloud, edge, policy);
        const document = await cloud.document();
        for (const edge of edges) expect(edge.document).toEqual(document);
        for (const edge of edges) {
          const { conflicts, document: same } = await sync(cloud, edge, policy);
          expect([conflicts, same.desired, same.reported]).toEqual([[], document.desired, document.reported]);
        }
      }),
      { numRuns: 60 },
    );
  },
);
