import { DatabaseSync } from 'node:sqlite';
import { decodeChunk, encodeChunk } from './codec/chunk-codec.ts';
import { dayFilePath } from './day-file-schema.ts';

/** A kind that there is not: see codec/chunk-codec.ts. */
function flipKind(data: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(data);
  changed[1]! ^= 0x80;
  return changed;
}

/** As a flipped bit in its first time does: the chunk can be decoded, and its points lie elsewhere. */
export function shiftTimes(byMs: number): (data: Uint8Array) => Uint8Array {
  return (data) => {
    const { times, values, count } = decodeChunk(data);
    return encodeChunk(
      times.map((timeMs) => timeMs + byMs),
      values,
      count,
    );
  };
}

/**
 * For tests: changes chunks where they lie in a day file, as a disk may; all else of the file stays as it is. Without `change` a bit
 * is flipped, and they cannot be decoded any more; once more, and they can.
 *
 * @param where SQL over the columns of `chunk`
 */
export function damageChunks(
  telemetryDir: string,
  day: number,
  where: string,
  change: (data: Uint8Array) => Uint8Array = flipKind,
): void {
  const db = new DatabaseSync(dayFilePath(telemetryDir, day));
  try {
    const rows = db.prepare(`SELECT id, data FROM chunk WHERE ${where}`).all();
    if (rows.length === 0) throw new Error('there is no such chunk');
    const update = db.prepare('UPDATE chunk SET data = ? WHERE id = ?');
    for (const { id, data } of rows) update.run(change(data as Uint8Array), id as number);
  } finally {
    db.close();
  }
}
