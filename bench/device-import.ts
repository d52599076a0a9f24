/*
 * Claim: a file of 1,000,000 devices is imported at 10,000 devices a second or more, with bounded memory on both sides, while
 * the API goes on answering; its export is as large and goes in again.
 *
 * Workload: CSV of 76 bytes a row: id, name, one of 400 groups on three levels, two tags, three attributes. `selsyn device
 * import` into a server of its own on the same machine, over HTTP on loopback; meanwhile the API is asked who one is every
 * 50 ms. Then `selsyn device export` to a file.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, readFileSync, rmSync, statSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { temporaryFolder } from './harness/child-server.ts';
import { onAbruptEnd } from './harness/exit-cleanup.ts';
import { describeMachine } from './harness/machine.ts';
import { amount } from './harness/phase.ts';
import { ms, quantile, whole, type ClaimResult } from './harness/report.ts';
import { AUTHORIZATION, startSelsyn } from './harness/servers.ts';

const CLI = join(import.meta.dirname, '..', 'packages', 'cli', 'bin', 'selsyn.js');
const DEVICES: number = amount(1_000_000);
const TARGET_PER_SECOND = 10_000;
const MB = 1024 * 1024;

export async function deviceImport(): Promise<ClaimResult> {
  const folder = temporaryFolder();
  const forget = onAbruptEnd(() => rmSync(folder, { recursive: true, force: true }));
  try {
    const file = join(folder, 'devices.csv');
    await writeDevices(file);
    const server = await startSelsyn({ folder });
    await using process_ = server.process;
    const cli = (...args: string[]) =>
      spawn(
        process.execPath,
        [CLI, '--url', `http://127.0.0.1:${server.httpPort}`, '--key', AUTHORIZATION.slice('Bearer '.length), ...args],
        {
          stdio: ['ignore', 'inherit', 'inherit'],
        },
      );
    const before = memoryOf(process_.pid);
    const importing = cli('device', 'import', file, '--mode', 'create');
    const answers: number[] = [];
    let cliMemory = 0;
    const startedMs = performance.now();
    while (importing.exitCode === null) {
      const askedMs = performance.now();
      await server.get('/api/v1/me');
      answers.push(performance.now() - askedMs);
      cliMemory = Math.max(cliMemory, memoryOf(importing.pid));
      await pause(50);
    }
    const importSeconds = (performance.now() - startedMs) / 1000;
    if (importing.exitCode !== 0) throw new Error(`the import ended with ${importing.exitCode}`);
    const after = memoryOf(process_.pid);
    const { total } = await server.get<{ total: number }>('/api/v1/devices?limit=1&include=total');
    const out = join(folder, 'out.csv');
    const exportedMs = performance.now();
    const exporting = cli('device', 'export', '--out', out);
    await once(exporting, 'exit');
    const exportSeconds = (performance.now() - exportedMs) / 1000;
    const lines = linesOf(out);
    const rate = total / importSeconds;
    const database = statSync(join(folder, 'data', 'registry.db')).size;
    return {
      claim: 'device-import',
      workload: `${whole(DEVICES)} devices as CSV (${whole(statSync(file).size / MB)} MB) by the CLI, over HTTP`,
      machine: describeMachine(),
      rows: [
        {
          what: 'devices imported a second',
          selsyn: whole(rate),
          target: `>= ${whole(TARGET_PER_SECOND)}`,
          holds: rate >= TARGET_PER_SECOND,
        },
        { what: 'devices that are there', selsyn: whole(total), target: whole(DEVICES), holds: total === DEVICES },
        { what: 'answer of the API meanwhile, p50', selsyn: ms(quantile(answers, 0.5)) },
        { what: 'answer of the API meanwhile, p99', selsyn: ms(quantile(answers, 0.99)) },
        { what: 'memory of the server at its most, MB more than before', selsyn: whole(after - before) },
        { what: 'memory of the CLI at its most, MB', selsyn: whole(cliMemory) },
        { what: 'database, MB', selsyn: whole(database / MB) },
        { what: 'devices exported a second', selsyn: whole(total / exportSeconds) },
        { what: 'lines of the export', selsyn: whole(lines), target: whole(DEVICES + 1), holds: lines === DEVICES + 1 },
      ],
      measured: {
        devices: DEVICES,
        importSeconds,
        exportSeconds,
        answers: answers.length,
        slowest: Math.max(...answers),
        database,
        before,
        after,
        cliMemory,
      },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
    forget();
  }
}

async function writeDevices(path: string): Promise<void> {
  const file = createWriteStream(path);
  file.write('id,name,group,tags,attributes.site,attributes.kw,attributes.fw (text)\n');
  for (let i = 0; i < DEVICES; i += 1) {
    const group = `/acme/plant-${i % 40}/hall-${i % 400}`;
    const row = `SN${String(i).padStart(8, '0')},Pump ${i},${group},batch-${Math.floor(i / 5000)} ${i % 2 === 0 ? 'eu' : 'us'},site-${i % 200},${i % 50},2.${i % 7}\n`;
    if (!file.write(row)) await once(file, 'drain');
  }
  file.end();
  await once(file, 'close');
}

function linesOf(path: string): number {
  const bytes = readFileSync(path);
  let lines = 0;
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) lines += 1;
  return lines;
}

/** The most that a process has had in memory, MB; 0 when it has ended. */
function memoryOf(pid: number | undefined): number {
  try {
    const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid ?? 0}/status`, 'utf8')) ?? [];
    return Math.round(Number(kilobytes ?? 0) / 1024);
  } catch {
    return 0;
  }
}
