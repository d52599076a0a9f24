import { expect, test } from 'vitest';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import { archiveFlow } from './archive-flow.ts';
import type { ExpirableObject } from './archive-gate.ts';
import { PolicyOrder } from './policy-order.ts';
import type { RetentionPolicy } from './retention-policy.ts';
import type { RetentionRules } from './retention-view.ts';

const TODAY = 20_000;
const NOON = (TODAY + 0.5) * DAY_MS;

function object(of: Partial<ExpirableObject>): ExpirableObject {
  return { id: 1, key: 'k', day: TODAY - 1, deviceType: undefined, firstDevice: 'a', lastDevice: 'b', sizeBytes: 100, ...of };
}

function rulesOf(policies: readonly Omit<RetentionPolicy, 'updatedAtMs'>[], holds: RetentionRules['holds'] = []): RetentionRules {
  const order = new PolicyOrder(policies.map((policy) => ({ ...policy, updatedAtMs: 0 })));
  return { order, holds, heldDevices: new Set(), classes: undefined, key: '' };
}

const FOR_EVER = rulesOf([]);

test('a day brings what the days of the last week have on average, in however many objects', () => {
  const { bytesPerDay } = archiveFlow(
    [
      object({ day: TODAY - 8, sizeBytes: 9_000_000 }),
      object({ day: TODAY - 7, sizeBytes: 700 }),
      object({ day: TODAY - 5, sizeBytes: 50 }),
      object({ day: TODAY - 5, sizeBytes: 50 }),
      object({ day: TODAY - 4, sizeBytes: 200 }),
      // Of today there are some hours only.
      object({ day: TODAY, sizeBytes: 9_000_000 }),
    ],
    FOR_EVER,
    7,
    NOON,
  );
  // Nothing came on one of four days; yesterday and what was before may wait for the archive.
  expect(bytesPerDay).toBe(250);
});

test('before there is a whole day, today tells what one brings; without objects nothing does', () => {
  expect(archiveFlow([object({ day: TODAY })], FOR_EVER, 7, NOON).bytesPerDay).toBe(200);
  expect(archiveFlow([object({ day: TODAY - 30 })], FOR_EVER, 7, NOON).bytesPerDay).toBe(0);
  expect(archiveFlow([], FOR_EVER, 7, NOON)).toMatchObject({ bytesPerDay: 0, shares: [] });
});

/** Bytes by the day at which they go; those that stay under `stays`. */
function going({ files, keepDays }: ReturnType<typeof archiveFlow>): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { toDay, bytes } of files) {
    bytes.forEach((size, index) => {
      const keep = keepDays[index] ?? null;
      if (size > 0) found[keep === null ? 'stays' : String(toDay + keep - TODAY)] = size;
    });
  }
  return found;
}

test('objects go at the age that their type is archived for, and not before the raw points of their day', () => {
  const rules = rulesOf([
    { name: 'default', keepDays: { archive: 100 } },
    { name: 'meters', deviceType: 'meter', keepDays: { archive: 365 } },
    { name: 'pumps', deviceType: 'pump', keepDays: { archive: null } },
  ]);
  const objects = [
    object({ sizeBytes: 10 }),
    object({ sizeBytes: 20, deviceType: 'meter' }),
    object({ sizeBytes: 40, deviceType: 'pump' }),
    object({ sizeBytes: 30, deviceType: 'fan' }),
  ];
  const flow = archiveFlow(objects, rules, 7, NOON);
  expect(going(flow)).toEqual({ 100: 40, 365: 20, stays: 40 });
  expect(flow.shares.map((share, index) => [flow.keepDays[index], share])).toEqual([
    [100, 0.4],
    [365, 0.2],
    [null, 0.4],
  ]);
  expect(going(archiveFlow(objects, rules, 200, NOON))).toEqual({ 200: 40, 365: 20, stays: 40 });
  expect(going(archiveFlow(objects, rules, null, NOON))).toEqual({ stays: 100 });
});

test('objects that may have points of a held device stay', () => {
  const policies = [{ name: 'default', keepDays: { archive: 100 } }];
  const holds = [{ id: 1, kind: 'device', target: 'm', reason: 'case 7' }] as const;
  const objects = [object({ sizeBytes: 10 }), object({ sizeBytes: 20, firstDevice: 'k', lastDevice: 'z' })];
  expect(going(archiveFlow(objects, rulesOf(policies, holds), 7, NOON))).toEqual({ 100: 10, stays: 20 });
});
