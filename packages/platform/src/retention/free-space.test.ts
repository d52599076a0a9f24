import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { FreeSpace, type FreeSpaceParts, type SpaceState } from './free-space.ts';
import { OPERATOR, RetentionHarness } from './retention.fixture.ts';
import { SpaceMaker } from './space-maker.ts';

const GIB = 1024 ** 3;

class Volume {
  readonly clock = new FakeClock();
  freeBytes = 10 * GIB;
  readonly announced: SpaceState[] = [];
  refusing = false;
  /** Files that may go; each is a GiB, and is free once who reads it has closed it. */
  files = 3;
  unseenBytes = 0;
  readonly space: FreeSpace;

  constructor(parts: Partial<FreeSpaceParts> = {}) {
    this.space = new FreeSpace({
      volume: () => ({ sizeBytes: 1000 * GIB, freeBytes: this.freeBytes }),
      floorBytes: 2 * GIB,
      whenShort: 'drop-oldest',
      dropOldest: () => {
        if (this.files === 0) return Promise.resolve(undefined);
        this.files--;
        this.unseenBytes += GIB;
        return Promise.resolve(GIB);
      },
      refuse: (refusing) => (this.refusing = refusing),
      announce: ({ state }) => this.announced.push(state),
      clock: this.clock,
      logLines: silentLogLines,
      ...parts,
    });
  }

  async at(freeGiB: number): Promise<SpaceState> {
    this.freeBytes = freeGiB * GIB;
    this.clock.advance(10_000);
    await this.space.look();
    return this.space.status.state;
  }
}

describe('the floor of free space', () => {
  test('is told of at twice as much, and again every hour, and when there is room again', async () => {
    const volume = new Volume();
    expect(await volume.at(10)).toBe('ok');
    expect(await volume.at(3.9)).toBe('low');
    expect(await volume.at(3.8)).toBe('low');
    expect(volume.announced).toEqual(['low']);
    volume.clock.advance(3_600_000);
    expect(await volume.at(3.8)).toBe('low');
    expect(await volume.at(5)).toBe('ok');
    expect(volume.announced).toEqual(['low', 'low', 'ok']);
    expect([volume.files, volume.refusing]).toEqual([3, false]);
  });

  test('below it the oldest goes, as much as is needed, also while what went is not free yet', async () => {
    const volume = new Volume();
    expect(await volume.at(1.4)).toBe('short');
    expect(volume.files).toBe(2);
    expect(await volume.at(1.4)).toBe('short');
    expect(volume.files).toBe(2);
    expect(await volume.at(2.6)).toBe('low');
    expect(volume.announced).toEqual(['short', 'low']);
    expect(volume.refusing).toBe(false);
  });

  test('what went and is never free does not count for long', async () => {
    const volume = new Volume();
    await volume.at(1.5);
    volume.clock.advance(60_000);
    await volume.at(1.5);
    expect(volume.files).toBe(1);
  });

  test('refuses once nothing more may go, until there is a quarter more than the floor', async () => {
    const volume = new Volume();
    volume.files = 0;
    expect(await volume.at(1.9)).toBe('refusing');
    expect(volume.refusing).toBe(true);
    expect(await volume.at(2.2)).toBe('refusing');
    expect(await volume.at(2.6)).toBe('low');
    expect(volume.refusing).toBe(false);
  });

  test('refuses at once, and lets nothing go, where it is to', async () => {
    const volume = new Volume({ whenShort: 'refuse' });
    expect(await volume.at(1.9)).toBe('refusing');
    expect(volume.files).toBe(3);
  });

  test('is a twentieth of a small volume at most', () => {
    const volume = new Volume({ volume: () => ({ sizeBytes: 10 * GIB, freeBytes: GIB }) });
    expect(volume.space.status.floorBytes).toBe(GIB / 2);
  });
});

describe('what goes for space', () => {
  let retention: RetentionHarness;
  beforeEach(async () => {
    retention = await RetentionHarness.open();
  });
  afterEach(async () => await retention[Symbol.asyncDispose]());

  function maker(archived?: (day: number) => boolean): SpaceMaker {
    const { runner, caller, store } = retention;
    const archive = archived && { isArchived: ({ day }: { day: number }) => Promise.resolve(archived(day)) };
    return new SpaceMaker({ runner, store: caller, archive, clock: store.clock, logLines: silentLogLines });
  }

  test('is the oldest day, whatever its age, and never today or the newest', async () => {
    const { today } = retention;
    for (const ago of [3, 2, 1, 0]) retention.append('a', today - ago, { t: 1 }, 5);
    retention.settle();
    expect(await maker().dropOldest()).toBeGreaterThan(0);
    expect(retention.stored).toEqual({ 'a t': [-2, -1, 0] });
    await maker().dropOldest();
    await maker().dropOldest();
    expect(await maker().dropOldest()).toBeUndefined();
    expect(retention.stored).toEqual({ 'a t': [0] });
    expect(retention.runner.letGo(9).map(({ because }) => because)).toEqual(['space', 'space', 'space']);
  });

  test('is not what is held, nor what the archive does not have', async () => {
    const { today } = retention;
    await retention.device('held');
    for (const ago of [4, 3, 0]) retention.append('held', today - ago, { t: 1 }, 5);
    retention.append('free', today - 3, { t: 1 }, 5_000);
    retention.append('free', today - 2, { t: 1 }, 5);
    retention.settle();
    await retention.holds.create({ kind: 'device', device: 'held' }, 'r', OPERATOR);
    expect(await maker(() => false).dropOldest()).toBeUndefined();
    await maker(() => true).dropOldest();
    expect(retention.stored).toEqual({ 'held t': [-4, -3, 0], 'free t': [-2] });
    await maker().dropOldest();
    expect(retention.stored).toEqual({ 'held t': [-4, -3, 0] });
    expect(await maker().dropOldest()).toBeUndefined();
  });

  test('does not wait for a clock that is believed', async () => {
    const { today, store } = retention;
    retention.append('a', today - 1, { t: 1 }, 5);
    retention.append('a', today, { t: 1 }, 5);
    retention.settle();
    retention.runner.clock();
    store.clock.step(400 * 86_400_000);
    expect(retention.runner.clock().believed).toBe(false);
    expect(await maker().dropOldest()).toBeGreaterThan(0);
    // The newest day that there is stays, though it is old now, and in the rollups.
    retention.settle();
    expect(await maker().dropOldest()).toBeUndefined();
  });
});
