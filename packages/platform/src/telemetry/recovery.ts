import type { LogLines } from '../kernel/log-lines.ts';
import type { Catalog, PartitionOffsets } from './catalog.ts';
import type { ChunkWriter } from './chunk-writer.ts';
import { dayFileName } from './day-file-schema.ts';
import type { DayFiles } from './day-files.ts';
import type { DeadLetterStore } from './dead-letter-store.ts';
import type { DeviceTable } from './device-table.ts';
import type { LatestValues } from './latest-values.ts';
import type { ProgressRow, ReplayMarks } from './replay-marks.ts';

/** What a partition of the log has: offsets from `oldest` up to, not including, `end`. */
export interface PartitionExtent {
  readonly partition: number;
  readonly oldest: number;
  readonly end: number;
}

export interface LogExtent {
  readonly identity: string;
  readonly partitions: readonly PartitionExtent[];
}

export interface RecoveryParts {
  readonly catalog: Catalog;
  readonly files: DayFiles;
  readonly writer: ChunkWriter;
  readonly devices: DeviceTable;
  readonly latest: LatestValues;
  readonly marks: ReplayMarks;
  readonly deadLetters: DeadLetterStore;
  readonly logLines: LogLines;
}

/**
 * Brings back what was known before the last stop, and finds where the log must be read from.
 *
 * Marks count only for the log that they were made for, and only if it still has all that is known of it: else other
 * records get the offsets that they speak of. The log gets a new number then and is read from the low-water mark, and
 * points that are in day files already are stored again, equal, which readers and compaction merge.
 *
 * @returns for each partition, in the order given, the first offset to read
 */
export function recover(parts: RecoveryParts, log: LogExtent): number[] {
  const { catalog, writer, marks, devices, latest, logLines } = parts;
  devices.startAt(catalog.nextSeries());
  catalog.eachSeries((id, device, metric, lastDay) => {
    devices.load(id, device, metric);
    latest.load(id, lastDay);
  });
  const partitions = log.partitions.map(({ partition }) => partition);
  writer.partitions = partitions;
  const { fresh, firstEver } = catalog.useLog(log.identity);
  if (fresh && !firstEver)
    logLines.warn({ log: log.identity }, 'The log is another one than before: it is read from its oldest record');
  const saved = catalog.lowWater();
  let loaded = loadDays(parts);
  const rows = [...loaded.values()].flat();
  const known = [saved, ...catalog.forgotten().values(), lettersEnd(parts)];
  const lost = log.partitions.filter(
    ({ partition, end }, index) =>
      known.some((offsets) => (offsets.get(partition) ?? 0) > end) || rows.some(({ positions }) => positions[index]! > end),
  );
  const starts = log.partitions.map(({ partition, oldest, end }) => {
    const from = saved.get(partition);
    if (from !== undefined && from < oldest) {
      logLines.error({ partition, from, oldest }, 'The log has dropped records that were not stored yet');
    }
    return Math.min(Math.max(from ?? oldest, oldest), end);
  });
  if (lost.length > 0) {
    logLines.warn(
      { partitions: lost },
      'The log has lost its last records, after they were stored: what is left of it is read again',
    );
    const ends = new Map(log.partitions.map(({ partition, end }) => [partition, end]));
    catalog.renewLog(log.identity, new Map(starts.map((from, index) => [partitions[index]!, from])), ends);
    marks.clear();
    loaded = loadDays(parts);
  }
  for (const [day, dayRows] of loaded) writer.loadDay(day, dayRows);
  for (const [device, ends] of catalog.forgotten())
    devices.setSkipBefore(
      device,
      partitions.map((partition) => ends.get(partition) ?? 0),
    );
  return starts;
}

/** The dead letters of the log end there; where they cannot be read, nothing is known of it by them. */
function lettersEnd({ catalog, deadLetters, logLines }: RecoveryParts): PartitionOffsets {
  try {
    return deadLetters.ends(catalog.log);
  } catch (error) {
    logLines.warn({ err: error }, 'The dead letters could not be read at the start');
    return new Map();
  }
}

/** The marks of all days that can have any, and the rows of `progress` of each such day. */
function loadDays({ catalog, files, writer, marks, logLines }: RecoveryParts): Map<number, ProgressRow[]> {
  const days = new Map<number, ProgressRow[]>();
  for (const day of catalog.touchedDays()) {
    days.set(day, []);
    // Announced, but never written: or taken back by a power loss.
    if (!files.has(day)) continue;
    try {
      days.set(day, marks.load(files, day, catalog.log, writer.partitions));
      files.setDirty(day);
    } catch (error) {
      logLines.error(
        { day: dayFileName(day), err: error },
        'The marks of a day file could not be read: its points may be stored again',
      );
      files.failed(day, error);
    }
  }
  return days;
}
