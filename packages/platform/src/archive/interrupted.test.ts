import { afterAll, expect, test } from 'vitest';
import { DAY_MS, HOUR_MS } from '../telemetry/day-file-schema.ts';
import { ArchiveFixture, AT_ONCE, parquetForTests } from './archive.fixture.ts';
import type { PublishStep } from './publisher.ts';

const parquet = parquetForTests();
afterAll(async () => {
  await parquet[Symbol.asyncDispose]();
});

const STEPS: readonly PublishStep[] = ['written', 'planned', 'uploaded', 'verified', 'committed', 'deleted'];

/** Stops for good at the n-th time that a step is reached; what comes after never happens. */
class Stop extends Error {}

async function stopAt(archive: ArchiveFixture, step: PublishStep, time: number): Promise<boolean> {
  let left = time;
  archive.onStep = (reached) => {
    if (reached === step && --left === 0) throw new Stop();
  };
  try {
    await archive.pass();
    return false;
  } catch (error) {
    if (error instanceof Stop) return true;
    throw error;
  } finally {
    archive.onStep = undefined;
  }
}

/** Points of several types and hours; late ones; a day to be joined; a device to be erased: in this order. */
const DEEDS: readonly ((archive: ArchiveFixture) => void | Promise<void>)[] = [
  (archive) => {
    archive.types.types.set('a', 'meter').set('b', 'tap');
    archive.points(['a', 'v', 1, 1], ['b', 'v', 2, 2], ['c', 'v', 3, 3], ['a', 'v', 61, 4], ['b', 'v', 62, 5]);
  },
  (archive) => {
    archive.points(['a', 'v', 4, 6], ['b', 'v', 2, 7], ['c', 'v', 700, 8]);
    archive.store.clock.advance(HOUR_MS);
  },
  (archive) => archive.store.clock.advance(DAY_MS),
  async (archive) => void (await archive.erasures.begin({ device: 'b', reason: 'requested', requestedBy: 'x' })),
];
const EXPECTED = ['a v 1 1', 'a v 4 6', 'a v 61 4', 'c v 3 3', 'c v 700 8'];

test(
  'an archive that is stopped at any step, again and again, loses nothing and has nothing twice',
  { timeout: 600_000 },
  async () => {
    for (const step of STEPS) {
      await using archive = await ArchiveFixture.open(parquet, (fixture) => {
        fixture.times = { ...AT_ONCE, joinAfterMs: 2 * HOUR_MS };
      });
      let stops = 0;
      for (const deed of DEEDS) {
        await deed(archive);
        for (const time of [1, 2]) {
          if (!(await stopAt(archive, step, time))) break;
          stops++;
          const rows = await archive.rows();
          expect(new Set(rows).size, `twice after ${step}`).toBe(rows.length);
          archive.closeArchive();
          await archive.openArchive();
        }
        await archive.pass();
        expect(await archive.stored(), step).toEqual(archive.keys());
      }
      expect(stops, step).toBeGreaterThan(3);
      expect(await archive.rows(), step).toEqual(EXPECTED);
      expect(archive.erasures.list({ limit: 1 }), step).toMatchObject([
        { device: 'b', state: 'hidden', hiddenAtMs: expect.any(Number) },
      ]);
      expect(archive.asideFiles(), step).toEqual([]);
      expect(archive.archiver.isArchived(archive.today / DAY_MS), step).toBeDefined();
    }
  },
);
