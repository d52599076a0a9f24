import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN_KEY, CLI, Selsyn } from '../harness/selsyn.ts';

interface Import {
  readonly id: string;
  readonly state: string;
  readonly rows: number;
  readonly created: number;
  readonly refused: number;
}

interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly status: number | null; readonly stdout: string; readonly stderr: string }>;
}

/** The CLI as a user calls it. */
function cli(server: Selsyn, ...args: string[]): Run {
  const child = spawn(process.execPath, [CLI, '--url', server.url, '--key', ADMIN_KEY, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (piece: Buffer) => (stdout += piece.toString()));
  child.stderr.on('data', (piece: Buffer) => (stderr += piece.toString()));
  const ended = new Promise<Awaited<Run['ended']>>((resolve) =>
    child.once('close', (status) => resolve({ status, stdout, stderr })),
  );
  return { child, ended };
}

async function rowsReach(server: Selsyn, rows: number): Promise<Import> {
  for (let tries = 0; tries < 3000; tries += 1) {
    const items = await server.get<{ items: Import[] }>('/api/v1/device-imports').then(
      (answer) => answer.items,
      () => [],
    );
    const [newest] = items;
    if (newest !== undefined && newest.rows >= rows) return newest;
    await pause(10);
  }
  throw new Error(`the import never came to row ${rows}`);
}

const COUNT = 20_000;
const BAD_ROWS = [7, 9_001, 19_999];

describe('an import of many devices', () => {
  let folder = '';
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'selsyn-import-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('loses and doubles no row when the server and then the client are killed in it, and goes out as it came in', async () => {
    const file = join(folder, 'devices.csv');
    const rows = Array.from({ length: COUNT }, (_, i) =>
      BAD_ROWS.includes(i + 2)
        ? `bad id ${i},,,,,`
        : `SN${i},"Pump ${i}, big",/acme/plant-${i % 7},a b${i % 3},${i % 100},${i}.0`,
    );
    writeFileSync(file, `id,name,group,tags,attributes.kw,attributes.fw\n${rows.join('\n')}\n`);
    await using server = await Selsyn.start();
    const command = ['device', 'import', file, '--mode', 'create', '--json'];

    const first = cli(server, ...command);
    await rowsReach(server, 3000);
    await server.end('SIGKILL');
    await server.restart();
    await rowsReach(server, 8000);
    first.child.kill('SIGKILL');
    await first.ended;

    const report = join(folder, 'refused.csv');
    const second = await cli(server, ...command, '--report', report).ended;
    expect(second.stderr).toContain('going on with import');
    const result = JSON.parse(second.stdout) as Import;
    expect(result).toMatchObject({ state: 'done', rows: COUNT + 1, created: COUNT - BAD_ROWS.length, refused: BAD_ROWS.length });
    expect(second.status).toBe(1);
    expect((await server.get<{ items: Import[] }>('/api/v1/device-imports')).items).toHaveLength(1);
    const refused = readFileSync(report, 'utf8').trimEnd().split('\n');
    expect(refused.slice(1).map((line) => Number(line.split(',')[0]))).toEqual(BAD_ROWS);
    const page = await server.get<{ total: number }>('/api/v1/devices?limit=1&include=total');
    expect(page.total).toBe(COUNT - BAD_ROWS.length);

    const out = join(folder, 'out.csv');
    expect((await cli(server, 'device', 'export', '--out', out).ended).status).toBe(0);
    await using other = await Selsyn.start();
    const lines = cli(other, 'device', 'import', '-', '--format', 'csv', '--mode', 'create');
    lines.child.stdin?.end(readFileSync(out));
    const copied = await lines.ended;
    expect(copied.stdout).toContain(
      `${(COUNT - BAD_ROWS.length).toLocaleString('en-US')} created, 0 updated, 0 unchanged, 0 refused`,
    );
    expect(copied.status).toBe(0);
    const again = await cli(other, 'device', 'export', '--format', 'csv').ended;
    expect(again.stdout).toBe(readFileSync(out, 'utf8'));
  });

  it('tells what is wrong before anything is sent, and in a dry run writes nothing', async () => {
    await using server = await Selsyn.start();
    const file = join(folder, 'devices.csv');
    writeFileSync(file, 'id,group\np1,/acme\np 2,/acme\np3,acme\n');
    const dry = await cli(server, 'device', 'import', file, '--dry-run').ended;
    expect(dry.stdout).toContain('dry run, nothing written: 1 created, 0 updated, 0 unchanged, 2 refused');
    expect(dry.stdout).toContain('row 3, p 2: a device id is');
    expect(dry.stdout).toContain('row 4, p3: a group is a path');
    expect((await server.get<{ items: unknown[] }>('/api/v1/devices')).items).toEqual([]);
    writeFileSync(file, 'id,serial\np1,x\n');
    const header = await cli(server, 'device', 'import', file).ended;
    expect([header.status, header.stderr]).toEqual([1, expect.stringContaining('the column "serial" is none of')]);
    const missing = await cli(server, 'device', 'import', join(folder, 'none.csv')).ended;
    expect([missing.status, missing.stderr]).toEqual([1, expect.stringContaining('cannot be read')]);
    const unknown = await cli(server, 'device', 'import', '-').ended;
    expect(unknown.stderr).toContain('say --format csv or --format jsonl');
    const resumed = await cli(server, 'device', 'import', file, '--resume', 'nobody').ended;
    expect(resumed.stderr).toContain('import.not-found');
  });
});
