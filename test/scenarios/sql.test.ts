import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ADMIN_KEY, CLI, eventually, Selsyn } from '../harness/selsyn.ts';

let selsyn: Selsyn;
let folder: string;
const DEVICES = 5;
const POINTS = 600;
const DAY_MS = 86_400_000;
const T0 = Math.floor(Date.now() / DAY_MS) * DAY_MS - 3 * DAY_MS;
/** Runs until something stops it. */
const ENDLESS = 'WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n % 2 + 1 FROM t) SELECT max(n) FROM t';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'selsyn-sql-'));
  selsyn = await Selsyn.start({
    settings: ['archive.target=disk', 'telemetry.sealAfterSec=1', 'sql.concurrency=2', 'sql.memoryBytes=134217728'],
  });
  await selsyn.fetch('/api/v1/groups', json({ path: '/acme' }));
  for (let device = 0; device < DEVICES; device += 1) {
    const draft = { id: `d-${device}`, group: device === 0 ? '/acme' : '/', attributes: { floor: device } };
    expect((await selsyn.fetch('/api/v1/devices', json(draft))).status).toBe(201);
  }
  const rows = Array.from({ length: DEVICES * POINTS }, (_, i) =>
    JSON.stringify({ device: `d-${i % DEVICES}`, ts: T0 + Math.floor(i / DEVICES) * 60_000, values: { t: i % DEVICES } }),
  );
  const answer = await selsyn.fetch('/api/v1/telemetry', {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: rows.join('\n'),
  });
  expect(await answer.json()).toMatchObject({ points: DEVICES * POINTS });
  await eventually(async () => ((await count()) === DEVICES * POINTS ? true : undefined));
});
afterAll(async () => {
  await selsyn[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

function json(body: unknown, key = ADMIN_KEY): RequestInit {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
  return { method: 'POST', headers, body: JSON.stringify(body) };
}

interface Answer {
  readonly code?: string;
  readonly rows: readonly (readonly unknown[])[];
  readonly statistics: Readonly<Record<string, number>>;
}

async function ask(sql: string, key?: string): Promise<Answer> {
  return (await (await selsyn.fetch('/api/v1/sql', json({ sql }, key))).json()) as Answer;
}

async function count(): Promise<unknown> {
  return (await ask('SELECT count(*) FROM telemetry')).rows?.[0]?.[0];
}

/** `selsyn sql`, with something on its standard input. */
async function cli(
  args: readonly string[],
  input = '',
): Promise<{ readonly code: unknown; readonly out: string; readonly err: string }> {
  const env = { ...process.env, SELSYN_URL: selsyn.url, SELSYN_KEY: ADMIN_KEY, XDG_CONFIG_HOME: join(folder, 'config') };
  const child = spawn(process.execPath, [CLI, 'sql', ...args], { env });
  let [out, err] = ['', ''];
  child.stdout.on('data', (piece: Buffer) => (out += piece.toString()));
  child.stderr.on('data', (piece: Buffer) => (err += piece.toString()));
  child.stdin.end(input);
  const code = await new Promise((resolve) => child.once('close', resolve));
  return { code, out, err };
}

test('the command line prints a table, and writes files', async () => {
  const query = 'SELECT device, count(*) AS n, avg(value) AS mean FROM telemetry GROUP BY device ORDER BY device LIMIT 2';
  const table = ['device    n  mean', '------  ---  ----', 'd-0     600     0', 'd-1     600     1', '(2 rows)', ''].join('\n');
  expect(await cli([query])).toEqual({ code: 0, out: table, err: '' });
  expect(await cli([], query)).toMatchObject({ code: 0, out: table });
  writeFileSync(join(folder, 'query.sql'), `${query};\n`);
  expect(await cli(['-f', join(folder, 'query.sql'), '--format', 'csv'])).toMatchObject({
    code: 0,
    out: 'device,n,mean\nd-0,600,0.0\nd-1,600,1.0\n',
  });
  const path = join(folder, 'all.parquet');
  expect(await cli(['SELECT * FROM telemetry', '-o', path, '--stats'])).toMatchObject({
    code: 0,
    out: '',
    err: expect.stringMatching(/^.*all\.parquet: 3,000 rows\nread /),
  });
  expect(readFileSync(path).subarray(-4).toString()).toBe('PAR1');
  expect(await cli([''])).toMatchObject({ code: 1, err: expect.stringContaining('give a query') });
  expect(await cli(['SELECT *\nFROM telemetry WERE 1'])).toMatchObject({
    code: 1,
    err: 'selsyn: syntax error at or near "1" (line 2, column 21) (sql.invalid)\n  FROM telemetry WERE 1\n                      ^\n',
  });
});

test('what is archived is read from the archive, with what came later', async () => {
  // What is in memory still is not archived by this run.
  await eventually(async () => {
    const { statistics } = await ask('SELECT count(*) FROM telemetry');
    return statistics['storedPoints'] === DEVICES * POINTS ? true : undefined;
  });
  await selsyn.fetch('/api/v1/archive/run', json({}));
  const before = await eventually(async () => {
    const answer = await ask('SELECT count(*) FROM telemetry');
    return answer.statistics['archivedHours'] === 10 ? answer : undefined;
  });
  expect([before.rows, before.statistics]).toMatchObject([
    [[DEVICES * POINTS]],
    { storedPoints: 0, archiveRows: DEVICES * POINTS },
  ]);
  // Late: over one that is there, and a new one.
  const late = [T0 + 5 * 60_000, T0 + 5 * 60_000 + 1]
    .map((ts) => JSON.stringify({ device: 'd-1', ts, values: { t: 1000 } }))
    .join('\n');
  await selsyn.fetch('/api/v1/telemetry', { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body: late });
  const after = await eventually(async () => {
    const answer = await ask("SELECT count(*), max(value) FROM telemetry WHERE device = 'd-1'");
    return answer.rows[0]?.[1] === 1000 ? answer : undefined;
  });
  expect(after.rows).toEqual([[POINTS + 1, 1000]]);
  expect(await count()).toBe(DEVICES * POINTS + 1);
});

test('whoever sees a part of the devices sees that part in SQL, also in the archive', async () => {
  const made = await selsyn.fetch('/api/v1/api-keys', json({ name: 'acme', grants: [{ role: 'viewer', group: '/acme' }] }));
  const { key } = (await made.json()) as { key: string };
  expect((await ask('SELECT DISTINCT device FROM telemetry', key)).rows).toEqual([['d-0']]);
  expect((await ask('SELECT id FROM devices', key)).rows).toEqual([['d-0']]);
  expect((await ask("SELECT count(*) FROM telemetry_1h WHERE device <> 'd-0'", key)).rows).toEqual([[0]]);
  expect(await ask("FROM read_parquet('data/archive/**')", key)).toMatchObject({ code: 'sql.refused' });
});

test('a process that dies in the middle of a query is an error of that query alone', async () => {
  const running = ask(ENDLESS);
  const pid = await eventually(async () => sqlProcesses().at(0));
  const before = await count();
  for (const each of new Set([pid, ...sqlProcesses()])) process.kill(each, 'SIGKILL');
  expect(await running).toMatchObject({ code: 'columnar.gone' });
  expect(await count()).toBe(before);
  expect((await selsyn.fetch('/healthz')).status).toBe(200);
});

/** Children of the server that run SQL. */
function sqlProcesses(): number[] {
  const children = readFileSync(`/proc/${selsyn.pid}/task/${selsyn.pid}/children`, 'utf8').trim().split(' ');
  return children.filter((pid) => pid !== '' && commandOf(pid).includes('sql-process')).map(Number);
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // It has ended since it was listed.
    return '';
  }
}
