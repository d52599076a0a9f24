import type { ArchiveStatusJson, BadObjectJson } from '@selsyn/platform/api/archive-schemas.ts';
import { expect, test } from 'vitest';
import { archiveText, badObjectsText, leftText, runText } from './archive-lines.ts';

const NOW = 1_700_000_000_000;
const status: ArchiveStatusJson = {
  state: 'idle',
  target: 's3',
  place: 's3://acme/',
  objects: 2212,
  bytes: 41.3e9,
  points: 29e9,
  backlogHours: 0,
  lagMs: 0,
  openErasures: 0,
  badObjects: 0,
  failures: 0,
};
const bad: BadObjectJson = {
  id: 12,
  key: 'device_type=meter/year=2026/month=11/day=22/07-000012.parquet',
  day: '2026-11-22',
  hour: 7,
  bytes: 1_500_000,
  sha256: 'ab',
  points: 10_000,
  firstMs: 0,
  lastMs: 1,
  firstDevice: 'a',
  lastDevice: 'b',
  storedAtMs: NOW,
  code: 'data.corrupt',
  message: 'it is not what was archived',
  sinceMs: NOW - 7_200_000,
  triedAtMs: NOW,
  tries: 3,
  nextTryMs: NOW + 960_000,
};

test('the archive is told in a few lines, with what is wrong', () => {
  expect(archiveText(status, NOW)).toBe(
    'idle, in s3://acme/\n2,212 objects, 41.3 GB, 29,000,000,000 points, 1.42 bytes a point\nall that is due is archived',
  );
  expect(archiveText({ ...status, badObjects: 2 }, NOW)).toContain('damaged or gone: 2 objects (selsyn archive bad)');
  expect(archiveText({ ...status, state: 'misplaced' }, NOW)).toMatch(/^stopped: .*configured/);
  expect(archiveText({ ...status, state: 'misplaced' }, NOW)).not.toContain('all that is due');
  expect(archiveText({ ...status, state: 'unknown-objects' }, NOW)).toMatch(/^stopped: .*selsyn archive rebuild/);
  const rebuild = { found: 9, adopted: 6, outdated: 2, left: 1 };
  expect(archiveText({ ...status, rebuild }, NOW)).toContain(
    'rebuilt: 6 of 9 objects taken over, 2 had their points in others, 1 cannot be read (see the log)',
  );
  expect(archiveText({ ...status, rebuild, state: 'rebuilding' }, NOW)).toMatch(/^rebuilding, so far: 6 of 9 /m);
  const none = { found: 0, adopted: 0, outdated: 0, left: 0 };
  expect(archiveText({ ...status, rebuild: none }, NOW)).toContain('rebuilt: the manifest knew all objects');
});

test('who asks to archive now is told what stood in the way', () => {
  expect(runText({ state: 'idle' })).toBe('the archive is being brought up to date: selsyn archive');
  expect(runText({ state: 'failing' })).toBe('the archive is being brought up to date: selsyn archive');
  expect(runText({ state: 'misplaced' })).toMatch(
    /^the archive was stopped: .*configured.*\nit is looked at again now: selsyn archive$/,
  );
  expect(runText({ state: 'unknown-objects' })).toMatch(/^the archive was stopped: .*selsyn archive rebuild/);
  expect(runText({ state: 'rebuilding' })).toMatch(/^the archive is taking over objects .*after that: selsyn archive$/);
});

test('objects that cannot be used are listed with the way out', () => {
  expect(badObjectsText([], NOW)).toMatch(/^no archived object/);
  const other = { ...bad, code: 'columnar.failed', message: 'no memory', nextTryMs: 0 };
  const lines = badObjectsText([bad, { ...bad, code: 'archive.object-gone' }, other], NOW).split('\n');
  expect(lines[2]).toMatch(/^12 +device_type=meter.*parquet +10000 +1\.50 MB +2 h ago +in 16 min +damaged$/);
  expect(lines[3]).toMatch(/ gone$/);
  expect(lines[4]).toMatch(/ now +no memory \(columnar\.failed\)$/);
  expect(lines.at(-1)).toContain('selsyn archive give-up ID --yes');
});

test('what could not be stored is told, and why', () => {
  expect(leftText({ because: 'replaying', waiting: 1200 })).toBe(
    'not all that has come is stored: the log of before the start is being read, 1200 messages are left; it is archived later',
  );
  expect(leftText({ because: 'busy', waiting: 7 })).toContain('7 points are in memory still');
});
