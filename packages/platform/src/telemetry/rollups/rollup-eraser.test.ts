import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { silentLogLines } from '../../kernel/log-lines.ts';
import { DAY_MS } from '../day-file-schema.ts';
import { encodeHours } from './rollup-codec.ts';
import { foldPoints } from './rollup-columns.ts';
import { RollupEraser } from './rollup-eraser.ts';
import { RollupFiles } from './rollup-files.ts';

const SECRET = 'the-name-of-a-patient';
const DAYS = [20_000, 20_007, 20_015];

test('nothing of what is erased is left in any of the files', () => {
  const dir = mkdtempSync(join(tmpdir(), 'selsyn-rollup-eraser-'));
  const files = new RollupFiles({
    dir,
    limit: 16,
    logLines: silentLogLines,
    numbers: { nextGeneration: () => 1, versionEpoch: 0 },
  });
  try {
    for (const day of DAYS) {
      const rollups = foldPoints([{ times: Float64Array.of(day * DAY_MS + 1), values: [SECRET] }], 3_600_000);
      files.commit('1h', day, (file) => {
        for (const series of [1, 2])
          file.statement('INSERT INTO rollup VALUES (?, ?, 1, ?)').run(day, series, encodeHours(rollups, day * DAY_MS));
      });
      files.read('1h', day, ({ db }) => db.exec('PRAGMA wal_checkpoint(TRUNCATE)'));
    }
    const bytes = (): string[] =>
      files.all.map(({ path }) => readFileSync(path, 'latin1')).filter((text) => text.includes(SECRET));
    expect(bytes()).toHaveLength(3);
    const eraser = new RollupEraser(files);
    eraser.begin([1, 2]);
    while (eraser.slice() !== 'done');
    expect(bytes()).toEqual([]);
  } finally {
    for (const { level, firstDay } of files.all) files.closeFile(level, firstDay);
    rmSync(dir, { recursive: true, force: true });
  }
});
