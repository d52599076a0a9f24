import type { StorageJson } from '@selsyn/platform/api/storage-routes.ts';
import { expect, test } from 'vitest';
import { storageText } from './storage-lines.ts';

const DAY_MS = 86_400_000;
const none = { bytes: 0, files: 0 };
const storage: StorageJson = {
  atMs: 0,
  volume: { state: 'low', sizeBytes: 1e12, freeBytes: 9e9, floorBytes: 5e9, whenShort: 'drop-oldest', sinceMs: 0 },
  levels: { raw: { bytes: 7e9, files: 7, from: '2026-11-17', to: '2026-11-23' }, hourly: none, daily: none },
  future: none,
  broken: none,
  archive: none,
  archiveElsewhere: none,
  archiveCache: none,
  log: none,
  other: none,
  forecast: {
    bytesPerDay: { raw: 1e9, hourly: 1e6, daily: 1e4 },
    rateOf: '2026-11-22',
    points: [{ atMs: DAY_MS, inDays: 1, bytes: 8e9, archiveBytes: 3e9, freeBytes: 7e9 }],
    floorAtMs: 3 * DAY_MS,
  },
};
const withArchive = (onVolume: boolean): string => {
  const archive = { bytes: 2.5e9, bytesPerDay: 5e8, onVolume };
  return storageText({ ...storage, forecast: { ...storage.forecast, archive } });
};

test('says what takes how much, and when the floor is reached', () => {
  const lines = storageText(storage).split('\n');
  expect(lines.find((line) => line.startsWith('raw'))).toMatch(/^raw +7\.00 GB +7 +2026-11-17 to 2026-11-23$/);
  expect(lines).toContain('9.00 GB of 1.00 TB are free, the floor is 5.00 GB: it is near the floor of free space');
  expect(lines.find((line) => line.startsWith('in'))).toMatch(/^in +telemetry +free$/);
  expect(lines.at(-1)).toBe('the floor of free space is reached in 3 d 0 h');
});

test('says of an archive what it has and gets, and whether that is of this disk', () => {
  const lines = withArchive(true).split('\n');
  expect(lines).toContain('the archive has 2.50 GB, and gets 500 MB every day: it is on this disk');
  expect(lines.find((line) => line.startsWith('in'))).toMatch(/^in +telemetry +archive +free$/);
  expect(lines.find((line) => line.startsWith('1 d'))).toMatch(/^1 d +8\.00 GB +3\.00 GB +7\.00 GB$/);
  expect(withArchive(false)).toContain('every day: it is elsewhere, and takes nothing of this disk');
});

test('tells archived objects that are elsewhere, and copies of them, from those on this disk', () => {
  const text = storageText({
    ...storage,
    archive: { bytes: 3e9, files: 3 },
    archiveElsewhere: { bytes: 4.1e10, files: 2212, from: '2026-01-01', to: '2026-11-22' },
    archiveCache: { bytes: 5e8, files: 12 },
  });
  expect(text).toMatch(/^archive +3\.00 GB +3$/m);
  expect(text).toMatch(/^archive, copies +500 MB +12$/m);
  expect(text).toMatch(/^archive, elsewhere +41\.0 GB +2212 +2026-01-01 to 2026-11-22$/m);
});
