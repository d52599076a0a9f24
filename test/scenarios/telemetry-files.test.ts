import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADMIN_KEY, CLI, eventually, Selsyn } from '../harness/selsyn.ts';

let from: Selsyn;
let to: Selsyn;
let folder: string;
const T0 = Date.UTC(2026, 10, 1);
const DEVICES = 40;
const POINTS = 500;
/** As long as a name may be: 256 bytes. */
const STATE = `state, "new"${'é'.repeat(122)}`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'selsyn-files-'));
  [from, to] = await Promise.all([Selsyn.start(), Selsyn.start()]);
  const rows: string[] = [];
  for (let device = 0; device < DEVICES; device += 1) {
    for (let n = 0; n < POINTS; n += 1) {
      const values = {
        t: device + n / 8,
        ...(n % 50 === 0 && { [STATE]: n % 100 === 0 ? '=1+1\n' : '', on: n % 100 === 0 }),
      };
      rows.push(JSON.stringify({ device: `d-${device}`, ts: T0 + n * 60_000 + device, values }));
    }
  }
  const answer = await from.fetch('/api/v1/telemetry', {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: rows.join('\n'),
  });
  expect(await answer.json()).toEqual({ points: DEVICES * (POINTS + 20), refused: 0, problems: [] });
  await whole(from);
});
afterAll(async () => {
  await Promise.all([from, to].map(async (selsyn) => await selsyn[Symbol.asyncDispose]()));
  rmSync(folder, { recursive: true, force: true });
});

/** Resolves once the last point can be read. */
async function whole(selsyn: Selsyn): Promise<void> {
  const path = `/api/v1/devices/d-${DEVICES - 1}/telemetry?metrics=t&limit=1000`;
  await eventually(async () =>
    (await selsyn.get<{ t?: unknown[] }>(path).catch(() => ({ t: [] }))).t?.length === POINTS ? true : undefined,
  );
}

async function selsyn(server: Selsyn, args: readonly string[]): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const env = { ...process.env, SELSYN_URL: server.url, SELSYN_KEY: ADMIN_KEY, XDG_CONFIG_HOME: join(folder, 'config') };
  return await promisify(execFile)(process.execPath, [CLI, ...args], { env, maxBuffer: 64 * 1024 * 1024 });
}

async function all(server: Selsyn): Promise<string> {
  return await (await server.fetch('/api/v1/telemetry-export?format=jsonl')).text();
}

describe('telemetry in files', () => {
  test.each(['csv', 'jsonl', 'parquet'])('what is exported as %s is the same when it is imported elsewhere', async (format) => {
    await using elsewhere = await Selsyn.start();
    const path = join(folder, `all.${format}`);
    const exported = await selsyn(from, ['telemetry', 'export', '-o', path]);
    expect(exported.stderr).toMatch(format === 'parquet' ? /bytes/ : /20,800 points/);
    expect(existsSync(`${path}.part`)).toBe(false);
    const imported = await selsyn(elsewhere, ['telemetry', 'import', path]);
    expect(imported.stdout).toBe('20,800 points of 20,800 rows, 0 refused\n');
    await whole(elsewhere);
    expect(await all(elsewhere)).toBe(await all(from));
  });

  test('an export can be narrowed, and is sorted by device, metric and time', async () => {
    const path = `/api/v1/telemetry-export?format=csv&device=d-7,d-3&metrics=t&from=${T0}&to=${T0 + 120_000}`;
    const answer = await from.fetch(path);
    expect(answer.headers.get('selsyn-devices')).toBe('2');
    expect(await answer.text()).toBe(
      [
        'device,metric,time,value,text,flag',
        'd-3,t,2026-11-01T00:00:00.003Z,3,,',
        'd-3,t,2026-11-01T00:01:00.003Z,3.125,,',
        'd-7,t,2026-11-01T00:00:00.007Z,7,,',
        'd-7,t,2026-11-01T00:01:00.007Z,7.125,,',
        '',
      ].join('\n'),
    );
    const rest = await from.fetch(`${path}&after=${encodeURIComponent(JSON.stringify(['d-3', 't', T0 + 60_003]))}`);
    expect(await rest.text()).toBe('d-7,t,2026-11-01T00:00:00.007Z,7,,\nd-7,t,2026-11-01T00:01:00.007Z,7.125,,\n');
  });

  test.each(['csv', 'jsonl'])('an export to %s that was broken off goes on behind its last whole row', async (format) => {
    const path = join(folder, `broken.${format}`);
    await selsyn(from, ['telemetry', 'export', '-o', path]);
    const complete = readFileSync(path, 'utf8');
    rmSync(path);
    // As a run that was killed leaves it: in the middle of a row.
    for (const cut of [complete.length - 7, Math.floor(complete.length / 2), 20]) {
      writeFileSync(`${path}.part`, complete.slice(0, cut));
      writeFileSync(`${path}.part.json`, JSON.stringify({ url: from.url, query: { format } }));
      await selsyn(from, ['telemetry', 'export', '-o', path]);
      expect(readFileSync(path, 'utf8') === complete).toBe(true);
      rmSync(path);
    }
  });

  test('an import that was killed goes on where it was', async () => {
    const path = join(folder, 'import.csv');
    const rows = Array.from({ length: 60_000 }, (_, n) => `killed,n,${new Date(T0 + n).toISOString()},${n},,`);
    writeFileSync(path, ['device,metric,time,value,text,flag', ...rows].join('\n'));
    const env = { ...process.env, SELSYN_URL: to.url, SELSYN_KEY: ADMIN_KEY, XDG_CONFIG_HOME: join(folder, 'config') };
    const child = spawn(process.execPath, [CLI, 'telemetry', 'import', path], { env, stdio: 'ignore' });
    const ended = once(child, 'exit');
    const read = async (): Promise<number> =>
      (await to.get<{ n?: unknown[] }>('/api/v1/devices/killed/telemetry?limit=100000').catch(() => ({ n: [] }))).n?.length ?? 0;
    await eventually(async () => ((await read()) > 0 ? true : undefined));
    child.kill('SIGKILL');
    await ended;
    const { stdout, stderr } = await selsyn(to, ['telemetry', 'import', path]);
    expect(stdout).toBe('60,000 points of 60,000 rows, 0 refused\n');
    // Where the first one was quick enough, nothing was left of it.
    if (stderr !== '') expect(stderr).toMatch(/^going on after [\d,]+ rows/);
    await eventually(async () => ((await read()) === 60_000 ? true : undefined));
  });

  test('rows that cannot be kept are named by their place in the file, and the others are kept', async () => {
    const path = join(folder, 'bad.csv');
    writeFileSync(
      path,
      `device,time,t,note\nodd,${T0},1,\nodd,yesterday,2,\n"no device",${T0},3,\nodd,${T0 + 1},4,"two\nlines"\n`,
    );
    const failure: unknown = await selsyn(to, ['telemetry', 'import', path]).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 1 });
    const { stdout } = failure as { stdout: string };
    expect(stdout).toMatch(
      /^3 points of 4 rows, 2 refused\n {2}row 2: "yesterday" is no time.*\n {2}row 3: "device" must be a device id/,
    );
    expect(await eventually(async () => {
      const series = await to.get<Record<string, unknown[]>>('/api/v1/devices/odd/telemetry').catch(() => ({}));
      return Object.keys(series).length === 2 ? series : undefined;
    })).toEqual({ t: [[T0, 1], [T0 + 1, 4]], note: [[T0 + 1, 'two\nlines']] }); // prettier-ignore
    expect(statSync(path).size).toBeGreaterThan(0);
  });
});
