import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { silentLogLines } from '../kernel/log-lines.ts';
import { daysFolder } from './day-file-schema.ts';
import { DayFiles } from './day-files.ts';

const DAYS = [100, 101, 102, 103];
const ROUNDS = 100;

test('days are dropped, made again and replaced beside a thread that reads them, and nobody is hurt', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'selsyn-drop-'));
  mkdirSync(daysFolder(dir), { recursive: true });
  let number = 0;
  const numbers = { versionEpoch: 0, nextGeneration: () => ++number };
  const files = new DayFiles({ dir, limit: 8, logLines: silentLogLines, numbers });
  const shared = new SharedArrayBuffer(12);
  const state = new Int32Array(shared);
  const thread = new Worker(new URL('./reading-thread.fixture.ts', import.meta.url), {
    workerData: { dir, days: DAYS, shared },
  });
  const said = once(thread, 'message') as Promise<[{ reads: number; errors: string[] }]>;
  try {
    // It reads for as long as files come and go.
    while (Atomics.load(state, 2) === 0) await nextTurn();
    for (let round = 0; round < ROUNDS; round++) {
      for (const day of DAYS) {
        const file = files.use(day);
        file.db.exec('BEGIN');
        const insert = file.statement('INSERT INTO chunk (series, start_ms, end_ms, count, data) VALUES (?, 0, 1, 1, ?)');
        for (let series = 0; series < 20; series++) insert.run(series, Buffer.alloc(500));
        file.nextVersion();
        file.db.exec('COMMIT');
        files.setDirty(day);
        if ((round + day) % 3 === 0) files.drop(day);
        else if ((round + day) % 3 === 1 && files.makeDurable(day)) {
          const copy = join(dir, 'copy.db');
          copyFileSync(files.pathOf(day)!, copy);
          files.replace(day, copy);
        }
        Atomics.store(state, 0, files.version);
      }
      await nextTurn();
    }
    for (const day of files.days()) {
      expect(files.use(day).db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    }
  } finally {
    Atomics.store(state, 1, 1);
    const [{ reads, errors }] = await said;
    expect(errors).toEqual([]);
    expect(reads).toBeGreaterThan(0);
    await thread.terminate();
    files.close();
    rmSync(dir, { recursive: true });
  }
});
