import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../kernel/errors.ts';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import { archiveFlow } from './archive-flow.ts';
import type { ExpirableObject } from './archive-gate.ts';
import type { SpaceStatus } from './free-space.ts';
import { dateOf, type PlanInput, type StoredLevel } from './planner.ts';
import { longer } from './kept-levels.ts';
import type { RetentionRules, ViewedFile } from './retention-view.ts';
import { readRollupDays } from './rollup-days.ts';
import { classIndex } from './series-classes.ts';
import { forecast, LEAST_OF_DAY, type Forecast, type LevelFlow } from './storage-forecast.ts';

export interface StoredPart {
  readonly bytes: number;
  readonly files: number;
  /** UTC dates, both inclusive; absent where there is none. Of days (`daily`) the first one of a month, and at the most today. */
  readonly from?: string;
  readonly to?: string;
}

/** What takes how much of the disk, and where that leads. */
export interface StorageReport {
  readonly atMs: number;
  readonly volume: SpaceStatus;
  readonly levels: Readonly<Record<StoredLevel, StoredPart>>;
  /** Of days that are still to come: a device whose clock is wrong. They do not grow old. */
  readonly future: StoredPart;
  /** Day files and files of rollups that could not be read and were set aside. */
  readonly broken: StoredPart;
  /** Archived objects in a folder of this volume. */
  readonly archive: StoredPart;
  /** Archived objects in S3, or on another volume: they take nothing of this one. */
  readonly archiveElsewhere: StoredPart;
  /** Copies of objects that are kept here for queries. */
  readonly archiveCache: StoredPart;
  readonly log: StoredPart;
  /** Registry, state, catalog and all the rest of the data folder. */
  readonly other: StoredPart;
  readonly forecast: Forecast;
  /** The day that `forecast` takes for the rate of raw points: the last whole one, or today. */
  readonly rateOf: string | undefined;
}

const NONE: StoredPart = { bytes: 0, files: 0 };

export async function storageReport(options: {
  readonly files: readonly ViewedFile[];
  readonly rules: RetentionRules;
  readonly input: PlanInput;
  readonly volume: SpaceStatus;
  /** Undefined: nothing is archived. */
  readonly archive:
    | {
        readonly objects: readonly ExpirableObject[];
        readonly onVolume: boolean;
        /** Where its objects are files of this machine. */
        readonly folder: string | undefined;
      }
    | undefined;
  /** How much of a day file is of which class. */
  readonly sharesOf: (file: ViewedFile) => Promise<ReadonlyMap<number, number>>;
  readonly folders: { readonly root: string; readonly telemetry: string; readonly archive: string; readonly log: string };
}): Promise<StorageReport> {
  const { files, rules, input, volume, archive: archived, sharesOf, folders } = options;
  const { nowMs, classes } = input;
  const today = Math.floor(nowMs / DAY_MS);
  const rateFile = rateDay(files, today);
  const rateShares = rateFile === undefined ? new Map<number, number>() : await sharesOf(rateFile);
  const shares = shareByClass(rateShares, classes.length);
  const ofLevel = (level: StoredLevel): readonly ViewedFile[] => files.filter((file) => file.level === level);
  const flows = (['raw', 'hourly', 'daily'] as const).map((level): LevelFlow => ({
    level,
    bytesPerDay: level === 'raw' ? rawRate(rateFile, nowMs, today) : rollupRate(ofLevel(level), nowMs),
    keepDays: classes.map((kept) => kept[level]),
    shares,
    files: ofLevel(level).map((file) => ({
      toDay: file.toDay,
      bytes: byClass(file.shares === undefined ? shares : shareByClass(file.shares, classes.length), file.sizeBytes),
    })),
  }));
  const rawDays = classes.reduce<number | null>((days, { raw }, index) => (shares[index]! > 0 ? longer(days, raw) : days), 0);
  const ownFolder = archived?.onVolume === true ? archived.folder : undefined;
  const objectsFolder = ownFolder ?? join(folders.archive, 'objects');
  const [broken, objects, archiveCache, log, all] = await Promise.all([
    folderBytes(folders.telemetry, (name) => name.includes('.broken-')),
    folderBytes(objectsFolder),
    folderBytes(join(folders.archive, 'cache')),
    folderBytes(folders.log),
    folderBytes(folders.root),
  ]);
  const levels = {
    raw: partOf(ofLevel('raw')),
    hourly: partOfRollups(ofLevel('hourly'), today),
    daily: partOfRollups(ofLevel('daily'), today),
  };
  // What another configuration has left in the data folder takes space too.
  const days = archived === undefined ? {} : daysOf(archived.objects);
  const archive = { ...objects, ...(ownFolder === undefined ? {} : days) };
  const isElsewhere = archived !== undefined && !archived.onVolume;
  const archiveElsewhere = isElsewhere ? { ...sumOf(archived.objects), ...days } : NONE;
  const inRoot = objectsFolder.startsWith(join(folders.root, '/')) ? [objects] : [];
  const known = [levels.raw, levels.hourly, levels.daily, broken, ...inRoot, archiveCache, log];
  return {
    atMs: nowMs,
    volume,
    levels,
    future: partOf(ofLevel('raw').filter(({ fromDay }) => fromDay > today + 1)),
    broken,
    archive,
    archiveElsewhere,
    archiveCache,
    log,
    other: {
      bytes: Math.max(0, all.bytes - known.reduce((sum, { bytes }) => sum + bytes, 0)),
      files: Math.max(0, all.files - known.reduce((sum, { files: count }) => sum + count, 0)),
    },
    forecast: forecast({
      nowMs,
      flows,
      archive: archived && { ...archiveFlow(archived.objects, rules, rawDays, nowMs), onVolume: archived.onVolume },
      freeBytes: volume.freeBytes,
      floorBytes: volume.floorBytes,
    }),
    rateOf: rateFile === undefined ? undefined : dateOf(rateFile.fromDay),
  };
}

function sumOf(objects: readonly ExpirableObject[]): StoredPart {
  return { bytes: objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0), files: objects.length };
}

function daysOf(objects: readonly ExpirableObject[]): Pick<StoredPart, 'from' | 'to'> {
  const days = objects.map(({ day }) => day);
  if (days.length === 0) return {};
  return { from: dateOf(days.reduce((a, b) => Math.min(a, b))), to: dateOf(days.reduce((a, b) => Math.max(a, b))) };
}

/** Yesterday's file, or today's where there is none. */
function rateDay(files: readonly ViewedFile[], today: number): ViewedFile | undefined {
  const raw = files.filter(({ level }) => level === 'raw');
  return raw.find(({ fromDay }) => fromDay === today - 1) ?? raw.find(({ fromDay }) => fromDay === today);
}

function rawRate(file: ViewedFile | undefined, nowMs: number, today: number): number {
  if (file === undefined) return 0;
  // What stands in a write-ahead log is in the file too, once the day is over.
  const bytes = Math.max(file.sizeBytes - (file.looseBytes ?? 0), (file.looseBytes ?? 0) / 2);
  return file.fromDay < today ? bytes : bytes / Math.max(LEAST_OF_DAY, nowMs / DAY_MS - today);
}

/** By the newest file, and the days that it has. */
function rollupRate(files: readonly ViewedFile[], nowMs: number): number {
  const nowDay = nowMs / DAY_MS;
  const newest = files.filter(({ fromDay }) => fromDay < nowDay).at(-1);
  if (newest === undefined) return 0;
  const days = Math.max(1, Math.min(newest.toDay, nowDay) - rollupDays(newest).firstDay);
  return (newest.sizeBytes - (newest.looseBytes ?? 0)) / days;
}

function shareByClass(found: ReadonlyMap<number, number>, classes: number): number[] {
  const shares = Array.from({ length: Math.max(1, classes) }, () => 0);
  const total = [...found.values()].reduce((sum, share) => sum + share, 0);
  for (const [each, share] of found) {
    const index = classIndex(each);
    if (index < shares.length) shares[index]! += share / total;
  }
  if (total === 0) shares[0] = 1;
  return shares;
}

function byClass(shares: readonly number[], sizeBytes: number): number[] {
  return shares.map((share) => share * sizeBytes);
}

function partOf(files: readonly ViewedFile[]): StoredPart {
  const bytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (files.length === 0) return { bytes, files: 0 };
  const from = Math.min(...files.map(({ fromDay }) => fromDay));
  const to = Math.max(...files.map(({ toDay }) => toDay)) - 1;
  return { bytes, files: files.length, from: dateOf(from), to: dateOf(to) };
}

/** A file of rollups is for a week or a year: what it has is told, and no day that has not begun. */
function partOfRollups(files: readonly ViewedFile[], today: number): StoredPart {
  const [oldest, newest] = [files[0], files.at(-1)];
  if (oldest === undefined || newest === undefined) return partOf(files);
  const { firstDay } = rollupDays(oldest);
  const lastDay = Math.max(firstDay, Math.min(rollupDays(newest).lastDay, today));
  return { ...partOf(files), from: dateOf(firstDay), to: dateOf(lastDay) };
}

function rollupDays({ path, level, fromDay, toDay }: ViewedFile): { readonly firstDay: number; readonly lastDay: number } {
  const found = level === 'raw' ? undefined : readRollupDays(path, level);
  return found ?? { firstDay: fromDay, lastDay: toDay - 1 };
}

async function folderBytes(folder: string, counts: (name: string) => boolean = () => true): Promise<StoredPart> {
  let entries;
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return { bytes: 0, files: 0 };
    throw error;
  }
  let [bytes, files] = [0, 0];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      const below = await folderBytes(path, counts);
      bytes += below.bytes;
      files += below.files;
    } else if (counts(entry.name)) {
      // Gone since it was listed.
      bytes += (await stat(path).catch(() => undefined))?.size ?? 0;
      files++;
    }
  }
  return { bytes, files };
}
