import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ArchivedObject, ArchiveIndex } from '../archive/archive-index.ts';
import { ARCHIVE_LIMITS } from '../columnar/columnar-limits.ts';
import { openParquetFiles } from '../columnar/open-parquet-files.ts';
import type { ParquetFiles, SeriesPoints } from '../columnar/parquet-files.ts';
import { systemClock } from '../kernel/clock.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { decodeRangeCursor, encodeRangeCursor } from '../telemetry/query-cursor.ts';
import type { PointColumns, PointValue, RangeAnswer, RangeQuery } from '../telemetry/telemetry-queries.ts';
import { exportPoints, type ExportRange, type ExportSources } from './export-points.ts';

type Row = readonly [device: string, metric: string, timeMs: number, value: PointValue];

let folder: string;
let parquet: ParquetFiles & AsyncDisposable;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'selsyn-export-'));
  parquet = openParquetFiles({
    limits: ARCHIVE_LIMITS,
    scratchDir: join(folder, 'engine'),
    clock: systemClock,
    logLines: silentLogLines,
  });
});
afterAll(async () => {
  await parquet[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

function columns(rows: readonly Row[]): PointColumns {
  const values = rows.map(([, , , value]) => value);
  return {
    times: Float64Array.from(rows, ([, , timeMs]) => timeMs),
    values: values.every((value) => typeof value === 'number') ? Float64Array.from(values) : values,
  };
}

function seriesOf(rows: readonly Row[]): SeriesPoints[] {
  const sorted = rows.toSorted(([a, b, c], [d, e, f]) => (a < d ? -1 : a > d ? 1 : b < e ? -1 : b > e ? 1 : c - f));
  const keys = [...new Set(sorted.map(([device, metric]) => `${device}\0${metric}`))];
  return keys.map((key) => {
    const [device = '', metric = ''] = key.split('\0');
    return { device, metric, ...columns(sorted.filter((row) => row[0] === device && row[1] === metric)) };
  });
}

/** A store that gives a few points at a time. */
class FakeStore {
  largest = 0;
  readonly #rows: readonly Row[];
  readonly #page: number;

  constructor(rows: readonly Row[], page = 3) {
    this.#rows = rows;
    this.#page = page;
  }

  async range({ device, metrics, fromMs, toMs, limit, cursor }: RangeQuery): Promise<RangeAnswer> {
    this.largest = Math.max(this.largest, limit);
    const from = cursor === undefined ? { metric: '', timeMs: fromMs } : decodeRangeCursor(cursor);
    const left = seriesOf(
      this.#rows.filter((row) => row[0] === device && row[2] >= fromMs && row[2] < toMs && (metrics?.includes(row[1]) ?? true)),
    )
      .flatMap(({ metric, times, values }) => [...times].map((timeMs, at): Row => [device, metric, timeMs, values[at]!]))
      .filter(([, metric, timeMs]) => metric > from.metric || (metric === from.metric && timeMs >= from.timeMs));
    const page = left.slice(0, this.#page);
    const next = left[this.#page];
    const answer = new Map(seriesOf(page).map(({ metric, times, values }) => [metric, { times, values }]));
    return next === undefined
      ? { metrics: answer }
      : { metrics: answer, cursor: encodeRangeCursor({ metric: next[1], timeMs: next[2] }) };
  }
}

async function read(sources: Partial<ExportSources>, range: Partial<ExportRange>): Promise<Row[]> {
  const rows: Row[] = [];
  const all = { telemetry: new FakeStore([]), archive: undefined, parquet, scratchDir: join(folder, 'files'), ...sources };
  const whole = { ids: [], fromMs: -1e15, toMs: 1e15, ...range };
  for await (const batch of exportPoints(all, whole, new AbortController().signal)) {
    for (const { device, metric, times, values } of batch)
      times.forEach((timeMs, at) => rows.push([device, metric, timeMs, values[at]!]));
  }
  return rows;
}

const ids = (...names: string[]) => names as DeviceId[];

/** An archive of files, of which some are replaced at the first look. */
async function archiveOf(
  files: readonly { readonly rows: readonly Row[]; readonly hidden?: readonly string[] }[],
  gone = 0,
): Promise<ArchiveIndex & { held: number }> {
  const paths = await Promise.all(
    files.map(async ({ rows }, n) => {
      const path = join(folder, `archived-${n}-${Math.round(performance.now() * 1000)}.parquet`);
      const draft = await parquet.create(path);
      await draft.append(seriesOf(rows));
      await draft.finish();
      return path;
    }),
  );
  let left = gone;
  const objects = files.map(({ hidden = [] }, id) => ({ id, hidden }) as unknown as ArchivedObject);
  const archive = {
    inUse: true,
    held: 0,
    range: () => ({ hours: [], objects }),
    local: async ({ id }: ArchivedObject) => {
      if (left-- > 0) throw new SelsynError('archive.object-gone', 'replaced');
      archive.held++;
      return { path: paths[id]!, [Symbol.dispose]: () => void archive.held-- };
    },
  };
  return archive;
}

describe('points that are exported', () => {
  const stored: readonly Row[] = [
    ['a', 'm', 1, 1], ['a', 'm', 2, 2], ['a', 'm', 3, 3], ['a', 'm', 4, 4], ['a', 'n', 1, 'x'], ['a', 'n', 2, true],
    ['c', 'm', 1, 1], ['d', 'm', 9, 9],
  ]; // prettier-ignore

  test('are sorted by device, metric and time, however they are paged', async () => {
    const telemetry = new FakeStore(stored);
    expect(await read({ telemetry }, { ids: ids('a', 'b', 'c') })).toEqual(stored.slice(0, 7));
    expect(await read({ telemetry }, { ids: ids('a', 'c'), metrics: ['m'], fromMs: 2, toMs: 4 })).toEqual([stored[1], stored[2]]);
    expect(telemetry.largest).toBe(10_000);
  });

  test('go on behind any row', async () => {
    for (const page of [1, 3, 100]) {
      for (let n = 0; n < 7; n++) {
        const [device, metric, timeMs] = stored[n]!;
        const left = ids('a', 'c').filter((id) => id >= device);
        const after = { device: device as DeviceId, metric, timeMs };
        expect(await read({ telemetry: new FakeStore(stored, page) }, { ids: left, after })).toEqual(stored.slice(n + 1, 7));
      }
    }
  });

  test('are those of the archive too; of two of the same time the stored one counts, and what is being erased is not there', async () => {
    const archived = [
      { rows: [['a', 'm', -2, -2], ['a', 'm', 1, 'old'], ['b', 'k', 1, 7]] as Row[] },
      { rows: [['c', 'm', -1, -1], ['d', 'm', 1, 1], ['e', 'm', 1, 1]] as Row[], hidden: ['d'] },
    ]; // prettier-ignore
    const archive = await archiveOf(archived, 1);
    const expected: Row[] = [
      ['a', 'm', -2, -2], ['a', 'm', 1, 1], ['a', 'm', 2, 2], ['a', 'm', 3, 3], ['a', 'm', 4, 4], ['a', 'n', 1, 'x'], ['a', 'n', 2, true],
      ['b', 'k', 1, 7], ['c', 'm', -1, -1], ['c', 'm', 1, 1], ['d', 'm', 9, 9],
    ]; // prettier-ignore
    const telemetry = new FakeStore(stored);
    const asked = ids('a', 'b', 'c', 'd');
    expect(await read({ telemetry, archive }, { ids: asked })).toEqual(expected);
    for (const [n, [device, metric, timeMs]] of expected.entries()) {
      const after = { device: device as DeviceId, metric, timeMs };
      expect(await read({ telemetry, archive }, { ids: asked.filter((id) => id >= device), after })).toEqual(
        expected.slice(n + 1),
      );
    }
    expect(await read({ telemetry, archive }, { ids: ids('b'), metrics: ['m'] })).toEqual([]);
    expect(archive.held).toBe(0);
    expect(readdirSync(join(folder, 'files'))).toEqual([]);
  });

  test('are there also where they are archived, and let go from the store, while it is being read', async () => {
    const moved: Row[] = [['a', 'm', 7, 7]];
    const archive = await archiveOf([{ rows: [['c', 'm', -1, -1]] }, { rows: moved }]);
    let isMoved = false;
    const early = {
      ...archive,
      range: () => ({ hours: [], objects: archive.range(undefined as never).objects.slice(0, isMoved ? 2 : 1) }),
    };
    const telemetry = new FakeStore(stored);
    const range = telemetry.range.bind(telemetry);
    telemetry.range = async (query) => {
      isMoved = true;
      return await range(query);
    };
    const rows = await read({ telemetry, archive: early }, { ids: ids('a') });
    expect(rows).toEqual([...stored.slice(0, 4), ...moved, ...stored.slice(4, 6)]);
  });

  test('end, and leave no file, when nobody wants them any more', async () => {
    const archive = await archiveOf([{ rows: stored }]);
    const all = { telemetry: new FakeStore(stored), archive, parquet, scratchDir: join(folder, 'files') };
    const points = exportPoints(all, { ids: ids('a', 'c'), fromMs: 0, toMs: 10 }, new AbortController().signal);
    await points.next();
    await points.return(undefined);
    expect(archive.held).toBe(0);
    expect(readdirSync(join(folder, 'files'))).toEqual([]);
    const gone = new AbortController();
    gone.abort();
    await expect(exportPoints(all, { ids: ids('a'), fromMs: 0, toMs: 10 }, gone.signal).next()).rejects.toThrow(/abort/i);
  });
});
