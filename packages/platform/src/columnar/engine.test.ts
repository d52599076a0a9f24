import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { literal, openEngine } from './engine.ts';

test('an engine keeps nothing of the files that it read: another may come to the same path', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'selsyn-engine-'));
  const limits = { memoryBytes: 128 * 2 ** 20, threads: 1, scratchDir: undefined, maxScratchBytes: 0 };
  const { instance, connection } = await openEngine(limits);
  try {
    const path = literal(join(dir, 'a.parquet'));
    await connection.run(`COPY (SELECT random() AS value FROM range(1000)) TO ${path} (FORMAT parquet)`);
    await connection.runAndReadAll(`SELECT sum(value) FROM read_parquet(${path})`);
    expect((await connection.runAndReadAll('FROM duckdb_external_file_cache()')).getRows()).toEqual([]);
  } finally {
    connection.closeSync();
    instance.closeSync();
    rmSync(dir, { recursive: true });
  }
});
