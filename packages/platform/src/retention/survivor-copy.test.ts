import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { decodeChunk, encodeChunk } from '../telemetry/codec/chunk-codec.ts';
import { Compactor } from '../telemetry/compactor.ts';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import { DayFiles } from '../telemetry/day-files.ts';
import { copySurvivors } from './survivor-copy.ts';

const INSERT = 'INSERT INTO chunk (series, start_ms, end_ms, count, data) VALUES (?, ?, ?, ?, ?)';
/** Ids that a copy goes through between two looks at other work. */
const PAGE = 2_000;

test('a copy has every point also where the last chunks are compacted after it has passed some of them', async () => {
  const dir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'selsyn-survivors-'));
  const clock = new FakeClock();
  const day = Math.floor(clock.now() / DAY_MS) - 1;
  const files = new DayFiles({ dir, limit: 4, logLines: silentLogLines, numbers: { nextGeneration: () => 1, versionEpoch: 0 } });
  try {
    const { db } = files.use(day);
    const insert = db.prepare(INSERT);
    db.exec('BEGIN');
    // Full chunks, which compaction leaves alone; then small ones of another series, on both sides of where the copy pauses.
    for (let id = 1; id <= PAGE - 5; id++) insert.run(2, id * 10, id * 10, 65_000, new Uint8Array(1));
    for (let minute = 0; minute < 12; minute++) {
      const timeMs = day * DAY_MS + minute * 60_000;
      insert.run(1, timeMs, timeMs, 1, encodeChunk(Float64Array.of(timeMs), Float64Array.of(minute), 1));
    }
    db.exec('COMMIT');
    const compactor = new Compactor({ files, clock, onCompacted: () => undefined });
    compactor.changed(day);
    clock.advance(3_600_000);

    const to = join(dir, 'copy.db');
    const copying = copySurvivors({
      from: files.pathOf(day)!,
      to,
      stays: (series) => series === 1,
      signal: new AbortController().signal,
    });
    // The copy has looked at the first ids by now, and waits for its turn.
    while (compactor.step());
    expect(compactor.chunksIn).toBe(12);
    await copying;

    const copy = new DatabaseSync(to, { readOnly: true });
    const points = copy
      .prepare('SELECT data FROM chunk WHERE series = 1 ORDER BY id')
      .all()
      .flatMap((row) => [...decodeChunk(row['data'] as Uint8Array).values]);
    copy.close();
    expect([...new Set(points)].sort((a, b) => Number(a) - Number(b))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  } finally {
    files.close();
    rmSync(dir, { recursive: true, force: true });
  }
});
