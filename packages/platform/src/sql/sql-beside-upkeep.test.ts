import { setTimeout } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { AT_ONCE, parquetForTests } from '../archive/archive.fixture.ts';
import { readDayState } from '../archive/day-state.ts';
import { DAY_MS, dayFilePath } from '../telemetry/day-file-schema.ts';
import { SqlFixture } from './sql.fixture.ts';

const parquet = parquetForTests();
afterAll(async () => await parquet[Symbol.asyncDispose]());

const DAYS = 2;
const ROUNDS = 3;
const BATCH = 8;
const DEVICES = ['a', 'b', 'erased'] as const;
const COUNTS = `SELECT device, epoch_ms(time) // ${DAY_MS} AS day, count(*) AS n, count(DISTINCT (metric, time)) FROM telemetry GROUP BY ALL`;
const ROLLED = `SELECT device, epoch_ms(time) // ${DAY_MS} AS day, sum(count) AS n, sum(count) FROM telemetry_1d GROUP BY ALL`;

/** How many points each device has on each day, by now and by all that is on its way. */
class Counts {
  readonly counts = new Map<string, number>();

  get(device: string, day: number): number {
    return this.counts.get(`${device} ${day}`) ?? 0;
  }

  add(device: string, day: number, count: number): void {
    this.counts.set(`${device} ${day}`, this.get(device, day) + count);
  }

  copy(): Counts {
    const copy = new Counts();
    for (const [key, count] of this.counts) copy.counts.set(key, count);
    return copy;
  }
}

/** What upkeep does of itself, from one wait to the next, while queries run. */
class Upkeep {
  readonly #sql: SqlFixture;
  readonly #next: number[] = Array.from({ length: DAYS }, () => 0);
  readonly model = new Counts();
  erasing = false;
  erased = false;

  constructor(sql: SqlFixture) {
    this.#sql = sql;
  }

  day(number: number): number {
    return Math.floor(this.#sql.today / DAY_MS) - number;
  }

  /** Points of two hours of a day, first in memory and then in its file. */
  write(number: number, seal: boolean): void {
    const { store, log } = this.#sql.archive;
    for (const device of DEVICES) {
      if (device === 'erased' && this.erasing) continue;
      const points = Array.from({ length: BATCH }, (_, i) => {
        const ts = this.day(number) * DAY_MS + (i % 2) * 22 * 3_600_000 + (this.#next[number]! + i) * 1000;
        return [device, { ts, m: i }] as const;
      });
      this.model.add(device, this.day(number), BATCH);
      log.append(0, store.clock.now(), points);
    }
    this.#next[number]! += BATCH;
    store.consume();
    if (!seal) return;
    store.writer.chunks.saveSeries();
    store.seal();
  }

  rollUp(): void {
    const { store } = this.#sql.archive;
    store.writer.chunks.saveSeries();
    store.seal();
    store.saveLowWater();
    for (let round = 0; round < 50 && store.writer.unrolled.all.length > 0; round++) {
      store.clock.advance(70_000);
      while (store.writer.rollups.step());
    }
    store.saveLowWater();
  }

  /** As retention does with a day that is archived as it is. */
  drop(number: number): boolean {
    const { store } = this.#sql.archive;
    const day = this.day(number);
    const state = readDayState(dayFilePath(store.dir, day), day);
    if (state === undefined) return false;
    const { done } = store.writer.upkeep.calls.dropDay({ day, generation: state.fileGeneration, ifVersion: state.version });
    return done;
  }

  /** @returns how many days were let go */
  async run(): Promise<number> {
    const { archive } = this.#sql;
    let dropped = 0;
    for (let round = 0; round < ROUNDS; round++) {
      for (let number = 0; number < DAYS; number++) {
        this.write(number, number % 2 === 0);
        await setTimeout(5);
        this.write(number, true);
        archive.store.compact();
        await setTimeout(5);
        this.rollUp();
        await archive.pass(true);
        await setTimeout(5);
        // Points of a day that has gone make a new file beside the archive.
        if (this.drop(number)) dropped++;
        await setTimeout(5);
        this.write(number, true);
      }
      if (round === 1) await this.#erase();
    }
    return dropped;
  }

  async #erase(): Promise<void> {
    this.erasing = true;
    await this.#sql.archive.erasures.begin({ device: 'erased', requestedBy: 'test', reason: 'requested' });
    this.erased = true;
    await setTimeout(30);
    await this.#sql.archive.pass(true);
  }
}

test('Queries are exact while days are archived, joined, compacted, let go and written again, and a device is erased', async () => {
  await using sql = await SqlFixture.open(parquet, {
    concurrency: 2,
    change: (archive) => void (archive.times = { ...AT_ONCE, joinAfterMs: 0 }),
  });
  const upkeep = new Upkeep(sql);
  upkeep.write(0, true);
  let queries = 0;
  let running = true;
  const ask = async (query: string): Promise<void> => {
    while (running) {
      const [before, wasErased, wasErasing] = [upkeep.model.copy(), upkeep.erased, upkeep.erasing];
      const found = new Map(
        (await sql.rows(query)).map(([device, day, n, distinct]) => [`${String(device)} ${String(day)}`, [n, distinct]]),
      );
      const after = upkeep.model;
      for (const device of DEVICES) {
        for (let number = 0; number < DAYS; number++) {
          const day = upkeep.day(number);
          const [n, distinct] = (found.get(`${device} ${day}`) ?? [0, 0]) as [number, number];
          const isErased = device === 'erased';
          const least = isErased && (wasErasing || upkeep.erasing) ? 0 : before.get(device, day);
          const most = isErased && wasErased ? 0 : after.get(device, day);
          expect({ device, number, distinct, fits: n >= least && n <= most }, `${n} of ${least} to ${most}: ${query}`).toEqual({
            device,
            number,
            distinct: n,
            fits: true,
          });
        }
      }
      queries++;
    }
  };
  const asking = [ask(COUNTS), ask(ROLLED)];
  const dropped = await Promise.race([upkeep.run(), ...asking.map(async (each) => await each.then(() => 0))]).finally(
    () => (running = false),
  );
  await Promise.all(asking);
  expect([dropped > DAYS, queries > 10]).toEqual([true, true]);
  const rows = await sql.rows(`SELECT device, count(*) FROM telemetry GROUP BY device ORDER BY device`);
  const total = Array.from({ length: DAYS }, (_, number) => upkeep.model.get('a', upkeep.day(number))).reduce(
    (sum, n) => sum + n,
    0,
  );
  expect(rows).toEqual([
    ['a', total],
    ['b', total],
  ]);
});

test('What moves on within a query is found where it was, or where it is', async () => {
  await using sql = await SqlFixture.open(parquet, {
    change: (archive) => void (archive.times = { ...AT_ONCE, joinAfterMs: 0 }),
  });
  const upkeep = new Upkeep(sql);
  const { between } = sql;
  /** @param at where it happens, once */
  const check = async (at?: keyof typeof between, work?: () => void | Promise<void>): Promise<void> => {
    if (at !== undefined) {
      between[at] = async () => {
        between[at] = undefined;
        await work?.();
      };
    }
    const found = await sql.rows(`SELECT device, epoch_ms(time) // ${DAY_MS}, count(*) FROM telemetry GROUP BY ALL`);
    if (at !== undefined) expect(between[at]).toBeUndefined();
    expect(new Map(found.map(([device, day, n]) => [`${String(device)} ${String(day)}`, n]))).toEqual(upkeep.model.counts);
  };
  const letGo = async (number: number): Promise<void> => {
    upkeep.rollUp();
    await sql.archive.pass(true);
    expect(upkeep.drop(number)).toBe(true);
  };
  for (const at of ['memoryAsked', 'memoryRead'] as const) {
    upkeep.write(0, false);
    await check(at, () => upkeep.rollUp());
    upkeep.write(0, false);
    await check(at, async () => await letGo(0));
  }
  upkeep.write(1, true);
  // Objects of the first day are taken; the second is in no state of the archive that was asked.
  await check('objectTaken', async () => await letGo(1));
  upkeep.write(0, true);
  await sql.archive.pass(true);
  await check('objectTaken', () => sql.archive.store.compact());
  upkeep.write(0, true);
  upkeep.write(1, false);
  await check('objectTaken', async () => await sql.archive.pass(true));
  await check('objectTaken', async () => await letGo(0));
  await check();
});
