import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ArchiveFixture, parquetForTests } from './archive.fixture.ts';
import { pythonWithPandas } from './python.fixture.ts';

/** The archive of docs/guides/archive.md, read by others as that page says. */
const parquet = parquetForTests();
const python = pythonWithPandas();
let archive: ArchiveFixture;
let folder: string;
let date: string;

beforeAll(async () => {
  archive = await ArchiveFixture.open(parquet);
  archive.types.types.set('m1', 'meter').set('m2', 'meter').set('t1', 'tap');
  archive.points(
    ['m2', 'kwh', 0, 10.25],
    ['m1', 'kwh', 1, 0.1],
    ['m1', 'kwh', 61, 0.2],
    ['m1', 'state', 61, 'grün'],
    ['t1', 'open', 62, true],
    ['x', 'v', 63, -1],
  );
  await archive.pass();
  folder = archive.folders.objects;
  date = new Date(archive.today).toISOString().slice(0, 10);
});
afterAll(async () => {
  await archive[Symbol.asyncDispose]();
  await parquet[Symbol.asyncDispose]();
});

test('DuckDB reads it with its partitions as columns, in order, with statistics and zstd', async () => {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const all = async (sql: string) => (await connection.runAndReadAll(sql)).getRowsJson();
  const glob = `${folder}/**/*.parquet`;
  expect(
    await all(
      `SELECT device_type, year, month, day, count(*) FROM read_parquet('${glob}', hive_partitioning = true) GROUP BY ALL ORDER BY 1`,
    ),
  ).toEqual(
    ['meter', 'tap', null].map((type, i) => [
      type,
      ...date
        .split('-')
        .map((part, at) => (at === 0 ? String(Number(part)) : expect.stringMatching(new RegExp(`^0?${Number(part)}$`)))),
      ['4', '1', '1'][i],
    ]),
  );
  expect(
    await all(`SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet('${glob}', hive_partitioning = false))`),
  ).toEqual([
    ['device', 'VARCHAR'],
    ['metric', 'VARCHAR'],
    ['time', 'TIMESTAMP'],
    ['value', 'DOUBLE'],
    ['text', 'VARCHAR'],
    ['flag', 'BOOLEAN'],
  ]);
  expect(
    await all(
      `SELECT device, metric, strftime(time, '%H:%M'), value, text, flag FROM read_parquet('${glob}') ORDER BY device, metric, time`,
    ),
  ).toEqual([
    ['m1', 'kwh', '00:01', 0.1, null, null],
    ['m1', 'kwh', '01:01', 0.2, null, null],
    ['m1', 'state', '01:01', null, 'grün', null],
    ['m2', 'kwh', '00:00', 10.25, null, null],
    ['t1', 'open', '01:02', null, null, true],
    ['x', 'v', '01:03', -1, null, null],
  ]);
  expect(await all(`SELECT DISTINCT compression FROM parquet_metadata('${glob}')`)).toEqual([['ZSTD']]);
  const statistics = await all(
    `SELECT stats_min_value, stats_max_value FROM parquet_metadata('${glob}') WHERE path_in_schema = 'device' AND file_name LIKE '%meter%' ORDER BY file_name`,
  );
  expect(statistics).toEqual([
    ['m1', 'm2'],
    ['m1', 'm1'],
  ]);
  connection.closeSync();
  instance.closeSync();
});

(python === undefined ? test.skip : test)('pandas and pyarrow read it with its partitions as columns', () => {
  const script = `
import json, sys
import pandas as pd, pyarrow.dataset as ds
frame = pd.read_parquet(sys.argv[1], filters=[("device_type", "=", "meter"), ("device", "=", "m1")])
print(json.dumps([str(frame.dtypes["time"])[:10], frame["device_type"].astype(str).unique().tolist(),
  frame.sort_values(["metric", "time"])[["metric", "value", "text"]].astype(object).where(frame.notna(), None).values.tolist()]))
dataset = ds.dataset(sys.argv[1], partitioning="hive")
print(json.dumps([dataset.count_rows(), sorted(dataset.schema.names),
  dataset.to_table(filter=~ds.field("device_type").is_valid()).column("device").to_pylist()]))
`;
  const [pandas, arrow] = python!(script, folder)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  expect(pandas).toEqual([
    'datetime64',
    ['meter'],
    [
      ['kwh', 0.1, null],
      ['kwh', 0.2, null],
      ['state', null, 'grün'],
    ],
  ]);
  expect(arrow).toEqual([6, ['day', 'device', 'device_type', 'flag', 'metric', 'month', 'text', 'time', 'value', 'year'], ['x']]);
});
