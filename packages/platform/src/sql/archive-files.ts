import type { ArchiveIndex, ArchivedHour, ArchivedObject, LocalObject } from '../archive/archive-index.ts';
import { isSelsynError } from '../kernel/errors.ts';
import { MAX_TIME_MS } from '../kernel/time-text.ts';
import type { ArchiveFile, TablePart } from './sql-calls.ts';

/** An object may be joined with others between the manifest and the fetch: the manifest then says which is there now. */
const MAX_TRIES = 5;

/** What the archive gives to a query. Disposing lets go of the local copies. */
export interface QueryArchive extends Disposable {
  readonly hours: readonly ArchivedHour[];
  readonly files: readonly ArchiveFile[];
  readonly rows: number;
  readonly bytes: number;
}

export const NO_ARCHIVE: QueryArchive = { hours: [], files: [], rows: 0, bytes: 0, [Symbol.dispose]: () => {} };

/** Brings the objects here that may hold what the parts speak of. Asked after the day files were opened. */
export async function archiveOf(
  index: ArchiveIndex,
  parts: readonly TablePart[],
  signal: AbortSignal | undefined,
): Promise<QueryArchive> {
  if (parts.length === 0 || !index.inUse) return NO_ARCHIVE;
  for (let tries = 1; ; tries++) {
    try {
      return await open(index, parts, signal);
    } catch (error) {
      if (!isSelsynError(error, 'archive.object-gone') || tries === MAX_TRIES) throw error;
    }
  }
}

async function open(index: ArchiveIndex, parts: readonly TablePart[], signal: AbortSignal | undefined): Promise<QueryArchive> {
  const named = parts.every(({ devices }) => devices !== undefined);
  const { hours, objects } = index.range({
    fromMs: Math.max(-MAX_TIME_MS, Math.min(...parts.map(({ fromMs }) => fromMs))),
    toMs: Math.min(MAX_TIME_MS, Math.max(...parts.map(({ toMs }) => toMs))),
    ...(named ? { devices: [...new Set(parts.flatMap(({ devices }) => [...devices!]))] } : {}),
  });
  const wanted = objects.filter((object) => parts.some((part) => mayHold(object, part)));
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
      rows: wanted.reduce((sum, { rows }) => sum + rows, 0),
      bytes: wanted.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      [Symbol.dispose]: () => held.dispose(),
    };
  } catch (error) {
    held.dispose();
    throw error;
  }
}

function mayHold(object: ArchivedObject, part: TablePart): boolean {
  if (object.lastMs < part.fromMs || object.firstMs >= part.toMs) return false;
  if (part.deviceTypes?.includes(object.deviceType ?? '') === false) return false;
  return part.devices === undefined || part.devices.some((device) => device >= object.firstDevice && device <= object.lastDevice);
}
