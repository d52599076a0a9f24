import { slotOf } from '../bus/slot.ts';
import { systemClock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { openDiskLog, type DiskLog } from '../log/drivers/disk/disk-log.ts';
import type { DiskLogOptions } from '../log/drivers/disk/disk-options.ts';
import { newDiskLogShared } from '../log/drivers/disk/shared-positions.ts';
import { prepareSessionJournals } from '../session-store/drivers/journal/session-journals.ts';
import type { Config } from './config-schema.ts';
import type { DataPaths } from './data-folder.ts';

/** What a gateway thread needs to open the stream of the sessions. */
export interface SessionLogPlace {
  readonly dir: string;
  readonly shared: SharedArrayBuffer;
}

/** What is released goes with its segment: small ones keep little longer than needed. */
const SEGMENT_BYTES = 16 * 1024 * 1024;
/** A change is as large as a packet and its holders: of both the broker has limits. */
const MAX_RECORD_BYTES = 1024 * 1024 * 1024;

/** Opens the stream of the sessions, with a partition for each gateway thread, before any of them does. */
export async function openSessionLogs(from: {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly logLines: LogLines;
}): Promise<{ readonly log: DiskLog; readonly place: SessionLogPlace }> {
  const { config, paths, logLines } = from;
  const { threads } = config.gateway;
  const dir = await prepareSessionJournals({
    dir: paths.sessionLog,
    threads,
    // As the bus has it.
    homeOf: (name) => slotOf(name) % threads,
    openLog: async (folder, partitions) => {
      const place = { dir: folder, shared: newDiskLogShared(partitions) };
      return await openDiskLog({ ...sessionLogOptions({ config, place, logLines }), role: 'owner', sync: 'always' });
    },
    logLines,
  });
  const place = { dir, shared: newDiskLogShared(threads) };
  return { log: await openDiskLog({ ...sessionLogOptions({ config, place, logLines }), role: 'owner' }), place };
}

/** What all threads open the stream of the sessions with; the role is their own. */
export function sessionLogOptions(from: {
  readonly config: Config;
  readonly place: SessionLogPlace;
  readonly logLines: LogLines;
}): Omit<DiskLogOptions, 'role'> {
  const { log } = from.config;
  return {
    ...from.place,
    clock: systemClock,
    logLines: from.logLines,
    sync: log.sync,
    syncIntervalMs: log.syncIntervalMs,
    segmentBytes: Math.min(log.segmentBytes, SEGMENT_BYTES),
    maxRecordBytes: MAX_RECORD_BYTES,
    // Whoever releases needs it no more.
    retention: { maxAgeMs: 0, maxBytes: 0 },
  };
}
