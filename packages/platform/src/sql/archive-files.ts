import type { ArchiveIndex, ArchivedHour, ArchivedObject, LocalObject } from '../archive/archive-index.ts';
import { isSelsynError } from '../kernel/errors.ts';
import { MAX_TIME_MS } from '../kernel/time-text.ts';
import type { ArchiveFile, TablePart } from './sql-calls.ts';

/** An object may be joined with others between the manifest and the fetch: the manifest then says which is there now. */
const MAX_TRIES = 5;

/** Nothing was fetched of it. */
export class TooMuchArchive extends Error {}

/** What the archive gives to a query. Disposing lets go of the local copies. */
export interface QueryArchive extends Disposable {
  readonly hours: readonly ArchivedHour[];
  readonly files: readonly ArchiveFile[];
  readonly rows: number;
  readonly bytes: number;
}

export const NO_ARCHIVE: QueryArchive = { hours: [], files: [], rows: 0, bytes: 0, [Symbol.dispose]: () => {} };

interface ArchiveLimits {
  /** Of all objects; more: TooMuchArchive. */
  readonly maxRows: number;
  readonly signal: AbortSignal | undefined;
}

/** Brings the objects here that may hold what the parts speak of. Asked after the day files were opened. */
export async function archiveOf(index: ArchiveIndex, parts: readonly TablePart[], limits: ArchiveLimits): Promise<QueryArchive> {
  if (parts.length === 0 || !index.inUse) return NO_ARCHIVE;
  for (let tries = 1; ; tries++) {
    try {
      return await open(index, parts, limits);
    } catch (error) {
      if (!isSelsynError(error, 'archive.object-gone') || tries === MAX_TRIES) throw error;
    }
  }
}

async function open(index: ArchiveIndex, parts: readonly TablePart[], { maxRows, signal }: ArchiveLimits): Promise<QueryArchive> {
  const named = parts.every(({ devices }) => devices !== undefined);
  const { hours, objects } = index.range({
    fromMs: Math.max(-MAX_TIME_MS, Math.min(...parts.map(({ fromMs }) => fromMs))),
    toMs: Math.min(MAX_TIME_MS, Math.max(...parts.map(({ toMs }) => toMs))),
    ...(named ? { devices: [...new Set(parts.flatMap(({ devices }) => [...devices!]))] } : {}),
  });
  const tests = parts.map((part) => (part.devices === undefined ? part : { ...part, devices: part.devices.toSorted() }));
  const wanted = objects.filter((object) => tests.some((part) => mayHold(object, part)));
  const rows = wanted.reduce((sum, object) => sum + object.rows, 0);
  if (rows > maxRows) throw new TooMuchArchive(`${rows} rows are archived of what was asked for`);
  const held = new DisposableStack();
  try {
    const files: ArchiveFile[] = [];
    for (const object of wanted) {
      const local: LocalObject = held.use(await index.local(object, signal));
      files.push({ path: local.path, deviceType: object.deviceType, hidden: object.hidden });
    }
    return {
      hours,
      files,
      rows,
      bytes: wanted.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      [Symbol.dispose]: () => held.dispose(),
    };
  } catch (error) {
    held.dispose();
    throw error;
  }
}

/** @param part its devices are sorted */
function mayHold(object: ArchivedObject, part: TablePart): boolean {
  if (object.lastMs < part.fromMs || object.firstMs >= part.toMs) return false;
  if (part.deviceTypes?.includes(object.deviceType ?? '') === false) return false;
  if (part.devices === undefined) return true;
  const first = part.devices[firstNotBefore(part.devices, object.firstDevice)];
  return first !== undefined && first <= object.lastDevice;
}

/** The place in sorted texts of the first that is not less. */
function firstNotBefore(sorted: readonly string[], text: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < text) low = middle + 1;
    else high = middle;
  }
  return low;
}
