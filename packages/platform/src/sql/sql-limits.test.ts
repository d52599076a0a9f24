import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parquetForTests } from '../archive/archive.fixture.ts';
import { EVERYTHING } from '../registry/scope.ts';
import { SqlFixture } from './sql.fixture.ts';

const MIB = 1024 ** 2;
const parquet = parquetForTests();
let sql: SqlFixture;
beforeAll(async () => {
  sql = await SqlFixture.open(parquet, {
    limits: { memoryBytes: 128 * MIB, maxRows: 1_000, maxResultBytes: 64 * 1024 },
    concurrency: 2,
  });
  sql.archive.points(['a', 'm', 0, 1], ['b', 'm', 0, 2]);
});
afterAll(async () => {
  await sql[Symbol.asyncDispose]();
  await parquet[Symbol.asyncDispose]();
});

const answers = async (): Promise<void> => expect(await sql.rows('SELECT sum(value) FROM telemetry')).toEqual([[3]]);

/** Ends only with what stops it. */
const ENDLESS = 'WITH RECURSIVE t(n) AS (SELECT 1::HUGEINT UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t';

describe('Of time: a query is ended, and the next one answered', () => {
  test.each([
    ENDLESS,
    'SELECT count(*) FROM range(1000000000000) a, range(1000000000000) b WHERE a.range * b.range = -1',
    'SELECT sum(x) FROM generate_series(1, 1000000000000) t(x)',
    "SELECT count(*) FROM range(100000000) WHERE regexp_matches(repeat('a', 1000) || range, '(a*)*(b|c)*$')",
    "SELECT count(*) FROM range(1000000) a WHERE levenshtein(repeat('a', 20000), repeat('b', 20000) || a.range) = 0",
    'SELECT list_reduce(list_transform(range(1000000), x -> list_sum(range(1000000))), (a, b) -> a + b)',
    "SELECT factorial(30), count(*) FROM range(100000000) a WHERE md5(md5(md5(a.range::VARCHAR))) = ''",
  ])('%s', async (query) => {
    await expect(sql.query(query, { deadlineMs: 500 })).rejects.toMatchObject({ code: 'sql.over-limit' });
    await answers();
  });

  test('also where it asks for less than the server allows', async () => {
    await expect(sql.query(ENDLESS, { deadlineMs: 200 })).rejects.toMatchObject({
      code: 'sql.over-limit',
      message: expect.stringContaining('0.2 s'),
      details: { limit: 'time' },
    });
  });
});

describe('Of memory: a query fails, and the next one is answered', () => {
  test.each([
    "SELECT string_agg(repeat('x', 100000), '') FROM range(100000)",
    'SELECT list(a.range || repeat(a.range::VARCHAR, 1000)) FROM range(1000000) a',
    'SELECT len(range(2000000000))',
    "SELECT * FROM (SELECT repeat('x', 10000000) FROM range(1000)) ORDER BY 1",
    "SELECT max(l) FROM (SELECT lpad('x', 500000000, 'y') l FROM range(100))",
    'SELECT histogram(a.range) FROM range(1000000000) a',
    "WITH RECURSIVE t(s) AS (SELECT 'x' UNION ALL SELECT s || s FROM t) SELECT count(*) FROM t",
  ])('%s', async (query) => {
    await expect(sql.query(query, { deadlineMs: 3_000 })).rejects.toMatchObject({
      code: expect.stringMatching(/^sql\.(over-limit|failed)$/),
    });
    await answers();
  });
});

test('Memory that a query needs at once is a limit that is told', async () => {
  await expect(sql.query("SELECT string_agg(repeat('x', 100000), '') FROM range(100000)")).rejects.toMatchObject({
    code: 'sql.over-limit',
    details: { limit: 'memory' },
  });
});

describe('Of the answer', () => {
  test('more rows than are allowed are refused, in every format', async () => {
    for (const format of ['json', 'csv', 'arrow', 'parquet'] as const) {
      expect(await sql.bytes('FROM range(1000)', { format })).toBeInstanceOf(Buffer);
      await expect(sql.bytes('FROM range(1001)', { format })).rejects.toMatchObject({
        code: 'sql.over-limit',
        details: { limit: 'rows', maxRows: 1_000 },
      });
      await expect(sql.bytes('FROM range(1001)', { format, maxRows: 2_000 })).rejects.toMatchObject({
        details: { limit: 'rows' },
      });
    }
  });

  test('it ends after as many rows as are asked for, and says so', async () => {
    for (const format of ['json', 'csv', 'arrow', 'parquet'] as const) {
      using answer = await sql.service.run({
        sql: 'FROM range(100000000)',
        format,
        maxRows: 10,
        scope: EVERYTHING,
        caller: 'test',
      });
      expect([answer.rows, answer.limited]).toEqual([10, true]);
    }
    expect(await sql.query('FROM range(3)', { maxRows: 10 })).toMatchObject({ rows: 3, limited: false, data: [[0], [1], [2]] });
    expect(await sql.query('FROM range(0)')).toMatchObject({ rows: 0, limited: false, data: [] });
  });

  test('more bytes than are allowed are refused, and nothing of them stays on disk', async () => {
    for (const format of ['json', 'csv', 'arrow', 'parquet'] as const) {
      await expect(
        sql.bytes(`SELECT ${Array(8).fill('gen_random_uuid()').join()} FROM range(1000)`, { format }),
      ).rejects.toMatchObject({
        code: 'sql.over-limit',
        details: { limit: 'bytes' },
      });
    }
    await answers();
    const left = readdirSync(join(sql.scratchDir, 'sql'), { recursive: true }).filter((name) => String(name).includes('result'));
    expect(left).toEqual([]);
  });
});

describe('A process', () => {
  test('that is killed in the middle answers with an error, hurts no other, and is started anew', async () => {
    await answers();
    const killed = sql.query(ENDLESS, { caller: 'one' });
    killed.catch(() => undefined);
    const [pid, ...others] = await untilRunning();
    expect(others).toEqual([]);
    await answers();
    process.kill(pid!, 'SIGKILL');
    await expect(killed).rejects.toMatchObject({ code: 'columnar.gone', retryable: true });
    await answers();
    for (const each of sql.service.pids) process.kill(each, 'SIGKILL');
    await answers();
  });

  test('ends with a request that is given up', async () => {
    const giveUp = new AbortController();
    const running = sql.query(ENDLESS, {}, giveUp.signal);
    running.catch(() => undefined);
    await untilRunning();
    giveUp.abort(new Error('given up'));
    await expect(running).rejects.toThrow('given up');
    await answers();
  });

  /** Processes whose query has begun to use the processor: one that waits for a query takes next to none. */
  async function untilRunning(): Promise<readonly number[]> {
    for (;;) {
      const before = new Map(sql.service.pids.map((pid) => [pid, ticksOf(pid)]));
      await setTimeout(100);
      const running = sql.service.pids.filter((pid) => ticksOf(pid) >= (before.get(pid) ?? Infinity) + 3);
      if (running.length > 0) return running;
    }
  }
});

/** Hundredths of a second that a process has had of the processors, 0 for one that is gone (Linux, proc(5): utime). */
function ticksOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[11]);
  } catch {
    return 0;
  }
}
