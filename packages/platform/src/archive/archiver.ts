import { statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { BlobStore } from '../blobs/blob-store.ts';
import type { ParquetFiles } from '../columnar/parquet-files.ts';
import type { Clock } from '../kernel/clock.ts';
import { isSelsynError, SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { DAY_MS, dayFilePath, HOUR_MS } from '../telemetry/day-file-schema.ts';
import { ARCHIVE_TIMES, dueHours, dueJoins, OBJECT_BYTES, type ArchiveTimes, type DuePlan } from './archive-plan.ts';
import { DayJoiner } from './day-joiner.ts';
import { readDayState, type DayState } from './day-state.ts';
import { DayRetries } from './day-retries.ts';
import { DayWatch } from './day-watch.ts';
import type { DeviceTypes } from './device-types.ts';
import type { Erasures } from './erasures.ts';
import { HourArchiver } from './hour-archiver.ts';
import type { LocalObjects } from './local-objects.ts';
import type { CurrentObject, Manifest } from './manifest.ts';
import { ObjectEraser } from './object-eraser.ts';
import { isOfAll, ObjectFaults } from './object-faults.ts';
import { ARCHIVE_PREFIX } from './object-key.ts';
import { checkPlace } from './place-check.ts';
import { Rebuilder } from './rebuilder.ts';
import { Publisher, type PublishStep } from './publisher.ts';

export interface ArchiverParts {
  readonly telemetryDir: string;
  /** Where files are written before they are stored: no others' folder. */
  readonly aside: string;
  readonly manifest: Manifest;
  readonly blobs: BlobStore;
  readonly local: LocalObjects;
  readonly parquet: ParquetFiles;
  readonly types: DeviceTypes;
  readonly erasures: Erasures;
  readonly clock: Clock;
  readonly logLines: LogLines;
  readonly times?: ArchiveTimes | undefined;
  readonly objectBytes?: number | undefined;
  readonly onStep?: ((step: PublishStep) => void | Promise<void>) | undefined;
}

/** Of a day file, read for one batch of hours: some hundred million points. */
const BATCH_BYTES = 512 * 1024 * 1024;

/** What is left to do, as of the last look. */
export interface Backlog {
  readonly hours: number;
  /** The end of the oldest of them, wall time; undefined where there is none. */
  readonly oldestEndMs: number | undefined;
}

/**
 * Does what is due, one thing after the other: tidies up, erases, archives hours, joins days. It knows nothing that is not in
 * the manifest and the day files, so that it may be interrupted anywhere and goes on with the next call of `pass`.
 */
export class Archiver {
  readonly #parts: ArchiverParts;
  readonly #times: ArchiveTimes;
  readonly #watch: DayWatch;
  readonly #hours: HourArchiver;
  readonly #joiner: DayJoiner;
  readonly objects: ObjectEraser;
  readonly publisher: Publisher;
  readonly faults: ObjectFaults;
  readonly retries = new DayRetries();
  readonly rebuilder: Rebuilder;
  readonly #wanted = new Set<number>();
  #placed = false;
  /** The last `erase` came to its end. */
  #isErased = false;
  backlog: Backlog = { hours: 0, oldestEndMs: undefined };

  constructor(parts: ArchiverParts) {
    this.#parts = parts;
    this.#times = parts.times ?? ARCHIVE_TIMES;
    this.#watch = new DayWatch(parts.telemetryDir);
    this.publisher = new Publisher(parts);
    this.faults = new ObjectFaults(parts);
    const own = { ...parts, publisher: this.publisher, faults: this.faults };
    this.#hours = new HourArchiver(own);
    this.#joiner = new DayJoiner({ ...own, objectBytes: parts.objectBytes ?? OBJECT_BYTES });
    this.rebuilder = new Rebuilder({ ...own, joiner: this.#joiner });
    this.objects = new ObjectEraser({ ...own, rows: parts.erasures.rows });
  }

  /**
   * Everything that is due.
   *
   * @param options.atOnce hours that are over are archived without waiting for more points
   * @param options.onFault of one day: the others go on, and it is tried again after a pause of its own
   * @throws SelsynError `blobs.*`, `archive.misplaced`, and what an erasure throws: nothing can be done now
   */
  async pass(
    signal: AbortSignal,
    options: { readonly atOnce: boolean; readonly onFault: (day: number, error: unknown) => void },
  ): Promise<void> {
    try {
      await this.#tidy(signal);
      if (options.atOnce) this.faults.retryNow();
      await this.erase(signal);
      await this.faults.recheck((object) => this.#parts.erasures.concernObject(object), signal);
      await this.#bring(signal, options);
    } finally {
      await rm(this.#parts.aside, { recursive: true, force: true });
    }
  }

  async #bring(
    signal: AbortSignal,
    options: { readonly atOnce: boolean; readonly onFault: (day: number, error: unknown) => void },
  ): Promise<void> {
    const { manifest, clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (options.atOnce) this.retries.retryNow();
    const left = new Set<number>();
    const failed = new Set<number>();
    const onFault = (day: number, error: unknown): void => {
      if (signal.aborted || !this.#isErased || isOfAll(error)) throw error;
      left.add(day);
      failed.add(day);
      this.retries.failed(day, nowMs);
      options.onFault(day, error);
    };
    const onBroken = (day: number, error: unknown): void => {
      if (this.retries.isDue(day, nowMs)) onFault(day, error);
      else left.add(day);
    };
    const states = this.#watch.look(nowMs, onBroken);
    this.#count(states);
    const days = new Set([...states.map(({ day }) => day), ...manifest.daysWithHours()]);
    const due = new Set([...days].filter((day) => !left.has(day) && this.retries.isDue(day, nowMs)));
    for (const state of states) {
      if (!due.has(state.day)) continue;
      try {
        if (!(await this.#archive(state, options.atOnce, signal))) left.add(state.day);
      } catch (error) {
        onFault(state.day, error);
      }
      this.#count(states);
    }
    for (const day of manifest.daysWithHours()) {
      if (left.has(day) || !due.has(day)) continue;
      try {
        await this.#join(day, signal);
      } catch (error) {
        onFault(day, error);
      }
    }
    for (const day of due) if (!failed.has(day)) this.retries.succeeded(day);
    this.retries.keep(new Set([...days, ...left]));
  }

  /**
   * Erasures wait for the work of one day at most. Where one fails nothing else is done before it has come to its end: an object that is
   * made anew of what it has not been through yet would count as free of the device.
   */
  async erase(signal: AbortSignal): Promise<void> {
    this.#isErased = false;
    // Which objects there are is not known yet: a pass finds out.
    if (!this.#placed) return;
    await this.#parts.erasures.advance(this.objects, signal);
    this.#isErased = true;
  }

  /**
   * An object that is damaged or gone does not count any more, and is deleted.
   *
   * @throws SelsynError `archive.object-sound` where it is what was archived; `archive.misplaced` while it is not known whether this is the
   *   store in which it is; `blobs.*`
   */
  async giveUp(object: CurrentObject, signal: AbortSignal): Promise<void> {
    const { manifest, blobs, clock, logLines } = this.#parts;
    if (!this.#placed) {
      const message = 'no object can be given up before the archive and its manifest were found to belong together';
      throw new SelsynError('archive.misplaced', message, { details: { place: blobs.place, before: manifest.place } });
    }
    try {
      using _copy = await this.faults.holdRight(object, signal);
    } catch (error) {
      if (signal.aborted || !isSelsynError(error, 'data.corrupt', 'archive.object-gone')) throw error;
      const { id, key, day, hour, rows } = object;
      // What the day file has of it is archived again, joined with what other objects have.
      const also = (): void => manifest.forgetVersions(day, hour);
      manifest.commit({ planned: [], replaced: [id], day, hours: [], nowMs: clock.now(), also });
      manifest.forgetHours(day);
      logLines.warn({ object: id, key, points: rows, err: error }, 'An archived object was given up, and is deleted');
      // It is given up whatever comes of that, and the next pass deletes it too.
      await this.publisher.settle(signal).catch((error: unknown) => {
        logLines.warn({ object: id, key, err: error }, 'The rest of an object that was given up could not be deleted yet');
      });
      return;
    }
    this.faults.retryNow();
    const { id, key } = object;
    throw new SelsynError('archive.object-sound', `the object ${key} is what was archived`, { details: { id, key } });
  }

  /** Somebody waits for a day to be archived: it is with the next pass. */
  want(day: number): void {
    this.#wanted.add(day);
  }

  /** False until the manifest and the store were found to belong together, since the start. */
  get isPlaced(): boolean {
    return this.#placed;
  }

  /** See HourArchiver. */
  get leftOutChunks(): number {
    return this.#hours.leftOutChunks;
  }

  /** Whether everything that a day file has is archived, verified and in the manifest, as the file is now. */
  isArchived(day: number): DayState | undefined {
    const state = readDayState(dayFilePath(this.#parts.telemetryDir, day), day);
    // What is known to be damaged or gone can be archived again while the day file is there.
    if (state === undefined || !this.#placed || this.faults.isLost(day)) return undefined;
    const archived = this.#parts.manifest.hoursOf(day);
    for (const [hour, version] of state.hours) {
      const row = archived.get(hour);
      if (row === undefined || row.generation !== state.generation || row.version !== version) return undefined;
    }
    return state;
  }

  async #tidy(signal: AbortSignal): Promise<void> {
    const { manifest, blobs, aside, logLines } = this.#parts;
    await rm(aside, { recursive: true, force: true });
    if (manifest.isRebuilding) {
      this.#placed = false;
      await this.rebuilder.run(signal);
    }
    if (!this.#placed) {
      if (await checkPlace(manifest, blobs, signal)) logLines.info({ place: blobs.place }, 'The archive has moved');
      await blobs.sweep(ARCHIVE_PREFIX, { signal });
      this.#placed = true;
    }
    await this.publisher.settle(signal);
  }

  /** @returns false where hours of the day were never archived */
  async #archive(state: DayState, atOnce: boolean, signal: AbortSignal): Promise<boolean> {
    const wanted = atOnce || this.#wanted.has(state.day);
    const due = this.#due(state, wanted);
    for (const hours of batchesOf(due.first, this.#hourBytes(state))) {
      if (!(await this.#hours.archiveFirst(state, hours, signal))) return false;
      await this.erase(signal);
    }
    let bad: unknown;
    for (const hour of due.again) {
      try {
        if (!(await this.#hours.archiveAgain(state, hour, signal))) return false;
      } catch (error) {
        // An object of this hour cannot be used: the other hours have theirs.
        if (!isSelsynError(error, 'archive.object-bad')) throw error;
        bad ??= error;
      }
      await this.erase(signal);
    }
    if (bad !== undefined) throw bad;
    this.#wanted.delete(state.day);
    return due.waiting.length === 0;
  }

  async #join(day: number, signal: AbortSignal): Promise<void> {
    const { manifest, clock } = this.#parts;
    const options = { nowMs: clock.now(), times: this.#times, bad: this.faults.ids };
    for (const plan of dueJoins(day, manifest.objectsOf(day), options)) {
      await this.#joiner.join(day, plan, signal);
      await this.erase(signal);
    }
  }

  #due(state: DayState, atOnce: boolean): DuePlan {
    const { manifest, clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    return dueHours(state, manifest.hoursOf(state.day), {
      nowMs: clock.now(),
      times: this.#times,
      unchangedMs: (hour) => nowMs - this.#watch.sinceMs(state.day, hour),
      atOnce,
    });
  }

  /** About what an hour takes in the day file. */
  #hourBytes({ day, hours }: DayState): number {
    const found = statSync(dayFilePath(this.#parts.telemetryDir, day), { throwIfNoEntry: false });
    return (found?.size ?? 0) / Math.max(1, hours.size);
  }

  #count(states: readonly DayState[]): void {
    let hours = 0;
    let oldestEndMs: number | undefined;
    for (const state of states) {
      const { missing } = this.#due(state, false);
      hours += missing.length;
      if (missing.length === 0) continue;
      oldestEndMs = Math.min(oldestEndMs ?? Infinity, state.day * DAY_MS + (missing[0]! + 1) * HOUR_MS);
    }
    this.backlog = { hours, oldestEndMs };
  }
}

/** Several hours at once spare decoding chunks that reach over them; too many would take longer than a call may. */
export function batchesOf(hours: readonly number[], hourBytes: number): number[][] {
  const size = Math.max(1, Math.floor(BATCH_BYTES / Math.max(1, hourBytes)));
  const batches: number[][] = [];
  for (let at = 0; at < hours.length; at += size) batches.push(hours.slice(at, at + size));
  return batches;
}
