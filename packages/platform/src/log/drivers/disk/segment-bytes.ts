import { stat } from 'node:fs/promises';
import { systemCode } from '../../../kernel/errors.ts';
import { listSegments, segmentPath } from './segment-file.ts';
import type { SharedPositions } from './shared-positions.ts';

/**
 * What the records of a partition from an offset on take: whole segments as they are, and of the one in which the offset lies its share by
 * the number of records.
 */
export async function bytesFrom(folder: string, positions: SharedPositions, from: number): Promise<number> {
  const { end, active, tail } = positions;
  if (from >= end) return 0;
  const bases = listSegments(folder);
  let total = 0;
  for (const [index, base] of bases.entries()) {
    const next = bases[index + 1] ?? end;
    if (next <= from) continue;
    // What was laid down ahead in the last one holds nothing yet.
    const sizeBytes = base >= active ? tail : await sizeOf(segmentPath(folder, base));
    const share = base >= from ? 1 : (next - from) / (next - base);
    total += Math.round(sizeBytes * share);
  }
  return total;
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    // Retention was faster.
    if (systemCode(error) === 'ENOENT') return 0;
    throw error;
  }
}
