import { constants } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { encodeSegmentHeader, segmentPath, type SegmentHeader } from './segment-file.ts';

/** One call that writes and syncs costs one trip to the thread pool instead of two. Elsewhere O_DSYNC promises less. */
const WRITES_SYNC = process.platform === 'linux';

export interface SegmentHandle {
  readonly path: string;
  readonly handle: FileHandle;
  /** True where a write that returns is durable. */
  readonly writesSync: boolean;
}

/** Opens a segment to go on writing it. */
export async function openSegment(path: string, durable: boolean): Promise<SegmentHandle> {
  const writesSync = durable && WRITES_SYNC;
  return { path, handle: await open(path, constants.O_RDWR | (writesSync ? constants.O_DSYNC : 0)), writesSync };
}

/**
 * Makes a segment whose header, and whose name in the folder, are durable when this resolves. A file of that name can
 * only be one in which nothing durable stands, left by a fault: it is replaced. Leaves nothing behind when it throws.
 */
export async function createSegment(folder: string, header: SegmentHeader, durable: boolean): Promise<SegmentHandle> {
  const path = segmentPath(folder, header.base);
  await rm(path, { force: true });
  const writesSync = durable && WRITES_SYNC;
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | (writesSync ? constants.O_DSYNC : 0);
  const handle = await open(path, flags, 0o640);
  try {
    const bytes = encodeSegmentHeader(header);
    const { bytesWritten } = await handle.write(bytes, 0, bytes.length, 0);
    if (bytesWritten < bytes.length) throw Object.assign(new Error('short write'), { code: 'ENOSPC' });
    await handle.sync();
    await syncFolder(folder);
    return { path, handle, writesSync };
  } catch (error) {
    await handle.close();
    await rm(path, { force: true });
    throw error;
  }
}

/** Makes the names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
