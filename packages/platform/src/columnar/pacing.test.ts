import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Catalog } from '../telemetry/catalog.ts';
import { DAY_MS, HOUR_MS } from '../telemetry/day-file-schema.ts';
import { StoreFixture } from '../telemetry/query-fixture.ts';
import { writeHours } from './day-hours.ts';
import { openEngine } from './engine.ts';
import { ParquetWriting } from './parquet-writing.ts';

const dir = mkdtempSync(join(tmpdir(), 'selsyn-pacing-'));
afterAll(() => rmSync(dir, { recursive: true }));

/** Counts how often others could have had the processors. */
class Rests {
  count = 0;
  rest(): void {
    this.count++;
  }
}

test('hours rest after each series', async () => {
  using store = new StoreFixture();
  const catalog = new Catalog(store.telemetryDir);
  catalog.open();
  catalog.save({ newSeries: [1, 2, 3].map((id) => ({ id, device: `d${id}`, metric: 'v' })) });
  catalog.close();
  for (const id of [1, 2, 3]) store.chunk(id, [[20_000 * DAY_MS + 7 * HOUR_MS, id]]);
  const rests = new Rests();
  let runs = 0;
  await writeHours(
    { telemetryDir: store.telemetryDir, day: 20_000, hours: [7, 8], folder: dir },
    new Map(),
    {
      writeScan: async (source) => {
        for (const open = source.open(); open.next().done !== true;) runs++;
        return undefined;
      },
    },
    rests,
  );
  expect([runs, rests.count]).toEqual([3, 6]);
});

test('joining rests after each piece of the work, and gives what it would without', async () => {
  const { instance, connection } = await openEngine({
    memoryBytes: 256 * 1024 * 1024,
    threads: 1,
    scratchDir: join(dir, 'scratch'),
    maxScratchBytes: 1024 ** 3,
  });
  const rests = new Rests();
  const writing = new ParquetWriting(connection, dir, () => rests);
  const points = (file: string, offset: number): Promise<unknown> =>
    connection.run(
      `COPY (SELECT 'd' || (i % 50) AS device, 'v' AS metric, epoch_ms(${DAY_MS}::BIGINT + (i + ${offset}) * 1000) AS time,
         i::DOUBLE AS value, NULL::VARCHAR AS text, NULL::BOOLEAN AS flag FROM range(200000) t(i) ORDER BY 1, 2, 3)
       TO '${join(dir, file)}' (FORMAT parquet)`,
    );
  await points('a.parquet', 0);
  await points('b.parquet', 100_000);
  const files = [join(dir, 'a.parquet'), join(dir, 'b.parquet')];
  for (const disjoint of [true, false]) {
    const before = rests.count;
    const facts = await writing.merge({ files, path: join(dir, 'joined.parquet'), disjoint, isPaced: true });
    expect(facts).toMatchObject({ rows: disjoint ? 400_000 : 300_000, firstDevice: 'd0', lastDevice: 'd9' });
    expect(rests.count - before).toBeGreaterThan(4);
  }
  // Somebody waits for an export.
  const before = rests.count;
  await writing.merge({ files, path: join(dir, 'joined.parquet') });
  expect(rests.count).toBe(before);
  await expect(
    writing.merge({ files: [join(dir, 'none.parquet')], path: join(dir, 'x.parquet'), isPaced: true }),
  ).rejects.toThrow('none.parquet');
  connection.closeSync();
  instance.closeSync();
});
