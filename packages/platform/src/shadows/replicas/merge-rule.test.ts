import { expect, test } from 'vitest';
import type { ShadowDocument } from '../shadow-document.ts';
import type { ReplicaReport } from './merge-report.ts';
import { mergeReport } from './merge-rule.ts';

const LAST_WRITE = { policy: 'last-write' } as const;

const report: ReplicaReport = {
  replica: 'gw-1',
  clock: { 'gw-1': 1, cloud: 40 },
  createdAtMs: 500,
  desired: { secret: 1 },
  reported: { own: 1 },
  stamps: { desired: { secret: [1, 40] }, reported: { own: [1, 1, 'gw-1'] } },
};

test('of a shadow that was deleted so long ago that its versions are forgotten, only what the edge wrote itself comes back', () => {
  const { outcome } = mergeReport(undefined, report, LAST_WRITE, { nowMs: 9_000, nextVersion: 1 });
  expect(outcome).toMatchObject({ kind: 'put', document: { desired: undefined, reported: { own: 1 }, createdAtMs: 9_000 } });
});

test('what was made since under versions that the edge has seen of the one before is not taken away by it', () => {
  const document: ShadowDocument = {
    version: 2,
    desired: { since: 1 },
    stamps: { desired: { since: [8, 2] } },
    createdAtMs: 8_000,
    updatedAtMs: 8_000,
  };
  const { outcome, conflicts } = mergeReport(document, report, LAST_WRITE, { nowMs: 9_000, nextVersion: 3 });
  expect(outcome).toMatchObject({ kind: 'put', document: { desired: { since: 1 }, reported: { own: 1 }, clock: { 'gw-1': 1 } } });
  expect(conflicts).toEqual([]);
});

test('what is written for history and device is only what has changed', () => {
  const document: ShadowDocument = {
    version: 7,
    desired: { a: 1, fan: { speed: 2, on: true }, gone: { x: 1 } },
    reported: { b: [1] },
    stamps: { desired: { a: [8, 2], fan: { speed: [8, 3], on: [8, 4] }, gone: { x: [8, 5] } }, reported: { b: [8, 6] } },
    createdAtMs: 500,
    updatedAtMs: 8_000,
  };
  const { outcome } = mergeReport(
    document,
    {
      ...report,
      clock: { 'gw-1': 2, cloud: 7 },
      desired: { a: 1, fan: { speed: 3, on: true } },
      reported: {},
      stamps: { desired: { a: [8, 2], fan: { speed: [9, 2, 'gw-1'], on: [8, 4] } } },
    },
    LAST_WRITE,
    { nowMs: 9_000, nextVersion: 8 },
  );
  expect(outcome).toMatchObject({
    kind: 'put',
    written: { desired: { fan: { speed: 3 }, gone: null }, reported: null },
    document: { desired: { a: 1, fan: { speed: 3, on: true } }, reported: undefined },
  });
});
