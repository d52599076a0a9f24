import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { systemCode } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Caller } from '../kernel/thread-channel.ts';
import type { DropAnswer, UpkeepStoreCalls } from '../telemetry/upkeep-calls.ts';
import { expireArchive, planArchive } from './archive-expiry.ts';
import type { ArchiveExpiry, ArchiveGate } from './archive-gate.ts';
import { ClockTrust, type ClockVerdict } from './clock-trust.ts';
import { isOver, planFiles, type FileStep } from './planner.ts';
import { RetentionMemory, type LetGo } from './retention-memory.ts';
import type { Blocked, PlannedStep, RetentionPlan } from './retention-plan.ts';
import type { RetentionPolicy } from './retention-policy.ts';
import { RetentionView, type RetentionRules, type ViewedFile } from './retention-view.ts';
import { trimRollups } from './rollup-trim.ts';
import { classIndex, isHeld } from './series-classes.ts';
import { asideFolder, clearAside, copySurvivors } from './survivor-copy.ts';

const EVERY_MS = 600_000;
const CLOCK_EVERY_MS = 60_000;
/** A copy must leave so much of the volume free. */
const SPARE_BYTES = 64 * 1024 * 1024;
/** A file is thinned out for less than this share of it once a day at most: each time costs a copy. */
const WORTH_SHARE = 0.05;
const DAY_MS = 86_400_000;

export interface RetentionRunnerOptions {
  readonly telemetryDir: string;
  /** To be read. */
  readonly registry: Database;
  readonly store: Caller<UpkeepStoreCalls>;
  readonly archive?: { readonly gate: ArchiveGate; readonly expiry: ArchiveExpiry } | undefined;
  readonly clock: Clock;
  readonly logLines: LogLines;
  /** Bytes that the volume has left. */
  readonly freeBytes?: () => number;
  /** Files were dropped: who may have them open closes them. */
  readonly onFilesGone?: () => void;
}

/** What a pass has done. */
export interface PassReport {
  readonly atMs: number;
  readonly freedBytes: number;
  readonly files: number;
  readonly blocked: readonly { readonly file: string; readonly because: Blocked }[];
  /** Why nothing was let go by its age. */
  readonly refused?: string;
  /** A hold was made meanwhile: it is done again. */
  readonly interrupted: boolean;
}

/**
 * Lets telemetry go whose time is over: every 10 minutes, file by file, oldest first.
 *
 * Each step is planned from policies and holds that were read before, and is done only as long as neither has changed
 * (`settle`). The store, which is the one writer, does it only when the file is still the one that was planned with.
 */
export class RetentionRunner implements AsyncDisposable {
  readonly #options: RetentionRunnerOptions;
  readonly #view: RetentionView;
  readonly #memory: RetentionMemory;
  readonly #trust: ClockTrust;
  readonly #trimmedAtMs = new Map<number, number>();
  readonly #stop = new AbortController();
  #pass: Promise<PassReport> | undefined;
  #interrupt = new AbortController();
  readonly #steps = new Set<Promise<unknown>>();
  readonly #repeats: { cancel: () => void }[] = [];
  #complained: string | undefined;
  last: PassReport | undefined;
  freedBytes = 0;
  #copies = 0;

  constructor(options: RetentionRunnerOptions) {
    this.#options = options;
    const { telemetryDir, registry, archive, clock } = options;
    this.#view = new RetentionView({ telemetryDir, registry, archive: archive?.gate, logLines: options.logLines });
    this.#memory = new RetentionMemory(telemetryDir);
    try {
      this.#memory.open();
    } catch (error) {
      // On a full volume for example: what is let go then must not wait for it.
      options.logLines.error({ err: error }, 'What retention remembers could not be opened: it begins anew');
      this.#memory.openInMemory();
    }
    this.#trust = new ClockTrust({ clock, memory: this.#memory });
  }

  get view(): RetentionView {
    return this.#view;
  }

  get stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Looks after itself from now on. */
  start(): void {
    clearAside(this.#options.telemetryDir);
    this.#repeat(CLOCK_EVERY_MS, () => void this.clock());
    this.#repeat(EVERY_MS, async () => void (await this.run()));
  }

  clock(): ClockVerdict {
    try {
      return this.#trust.look();
    } catch (error) {
      this.#options.logLines.warn({ err: error }, 'Retention could not note that the clock was right');
      return { believed: true };
    }
  }

  /** The clock is right, though it has jumped. */
  confirmClock(): void {
    this.#trust.confirm();
  }

  /** Newest first. */
  letGo(limit: number): readonly LetGo[] {
    return this.#memory.letGo(limit);
  }

  /** What would go now. @param policies instead of those that are stored */
  async plan(policies?: readonly RetentionPolicy[]): Promise<RetentionPlan> {
    const nowMs = this.#options.clock.now();
    const { steps, archived } = await this.#plan(nowMs, this.#stop.signal, policies);
    const planned = [...steps.map((step) => step.planned), ...archived];
    const verdict = this.clock();
    return {
      atMs: nowMs,
      steps: planned,
      freesBytes: planned.reduce((sum, { blocked, freesBytes }) => sum + (blocked === undefined ? freesBytes : 0), 0),
      ...(!verdict.believed && { refused: { reason: 'clock', message: verdict.message } }),
    };
  }

  /** Lets go what can go now; joins a pass that is under way. */
  run(): Promise<PassReport> {
    this.#pass ??= this.#run().finally(() => (this.#pass = undefined));
    return this.#pass;
  }

  /** Policies or holds have changed: resolves once nothing is done any more that was planned before. */
  async settle(): Promise<void> {
    this.#interrupt.abort(new Error('the rules of retention have changed'));
    this.#interrupt = new AbortController();
    await Promise.allSettled(this.#steps);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the server stops'));
    for (const repeat of this.#repeats) repeat.cancel();
    await this.settle();
    await this.#pass?.catch(() => undefined);
    this.#memory[Symbol.dispose]();
  }

  /** Aborted as soon as the rules that are read now have changed, or the server stops. To be taken before they are read. */
  get rulesHold(): AbortSignal {
    return AbortSignal.any([this.#interrupt.signal, this.#stop.signal]);
  }

  /**
   * Does a step now.
   *
   * @param options.goes series of the file, where only a part of it goes
   * @param options.signal `rulesHold` of when the rules were read
   * @returns the bytes that are given back, or why it stays
   */
  async letGoOf(
    { planned, file }: FileStep<ViewedFile>,
    options: { readonly because: LetGo['because']; readonly goes: (series: number) => boolean; readonly signal: AbortSignal },
  ): Promise<number | Blocked> {
    const { because, goes, signal } = options;
    signal.throwIfAborted();
    const done = await this.#guarded(async () => await this.#apply(planned, file, goes, signal));
    if (typeof done !== 'number') return done;
    const { clock, logLines, onFilesGone } = this.#options;
    this.freedBytes += done;
    const { level, from, to, action } = planned;
    logLines.info({ file: file.file, action, freedBytes: done, because }, 'Telemetry was let go');
    try {
      this.#memory.note({ atMs: clock.now(), level, file: file.file, from, to, action, because, freedBytes: done });
    } catch (error) {
      logLines.warn({ err: error }, 'What was let go could not be noted');
    }
    onFilesGone?.();
    return done;
  }

  async #run(): Promise<PassReport> {
    const { clock, logLines, archive } = this.#options;
    const nowMs = clock.now();
    const signal = this.rulesHold;
    const blocked: { file: string; because: Blocked }[] = [];
    let [files, freedBytes] = [0, 0];
    const verdict = this.clock();
    if (!verdict.believed) {
      if (this.#complained !== verdict.message) logLines.error({ lastSeenMs: verdict.lastSeenMs }, verdict.message);
      this.#complained = verdict.message;
      return (this.last = { atMs: nowMs, freedBytes, files, blocked, refused: verdict.message, interrupted: false });
    }
    this.#complained = undefined;
    try {
      const { steps, rules, archived, storedDays } = await this.#plan(nowMs, signal);
      const failed: FileStep<ViewedFile>[] = [];
      for (const step of inOrder(steps)) {
        signal.throwIfAborted();
        let kept = step.planned.blocked ?? (waitsFor(step, failed) ? 'finer-kept' : undefined);
        if (kept === undefined && this.#isWorth(step, nowMs)) {
          const answer = await this.#tryStep(step, { because: 'age', goes: goesByAge(step.file, rules, nowMs), signal });
          if (typeof answer === 'number') {
            files++;
            freedBytes += answer;
          } else kept = answer;
        }
        if (kept === undefined) continue;
        failed.push(step);
        blocked.push({ file: step.file.file, because: kept });
      }
      if (archive !== undefined && archived.length > 0) {
        signal.throwIfAborted();
        try {
          const gone = await this.#guarded(async () => await expireArchive(archive.expiry, rules, nowMs, storedDays));
          files += gone.files;
          freedBytes += gone.freedBytes;
        } catch (error) {
          if (signal.aborted) throw error;
          logLines.error({ err: error }, 'Archived objects that are too old could not be deleted; it is tried again');
          const due = archived.filter((step) => step.blocked === undefined);
          for (const { file } of due) blocked.push({ file, because: 'failed' });
        }
      }
      return (this.last = { atMs: nowMs, freedBytes, files, blocked, interrupted: false });
    } catch (error) {
      if (!signal.aborted) throw error;
      if (!this.#stop.signal.aborted) this.#again();
      return (this.last = { atMs: nowMs, freedBytes, files, blocked, interrupted: true });
    }
  }

  /** One file that cannot be let go does not keep the others. */
  async #tryStep(step: FileStep<ViewedFile>, options: Parameters<RetentionRunner['letGoOf']>[1]): Promise<number | Blocked> {
    try {
      return await this.letGoOf(step, options);
    } catch (error) {
      if (options.signal.aborted) throw error;
      this.#options.logLines.error({ file: step.file.file, err: error }, 'Telemetry that is too old could not be let go');
      return 'failed';
    }
  }

  async #plan(nowMs: number, signal: AbortSignal, policies?: readonly RetentionPolicy[]) {
    const { store, archive } = this.#options;
    // The rules first: a file that is listed afterwards is judged by rules that are no newer than it.
    const rules = await this.#view.rules(policies);
    const input = this.#view.inputOf(rules, nowMs);
    const stored = await store.call('storeFiles', null);
    const viewed = await this.#view.files(stored, rules, input, signal);
    const steps = planFiles(viewed, input);
    const storedDays = new Set(stored.days.map(({ day }) => day));
    const archived = archive === undefined ? [] : planArchive(archive.expiry, rules, nowMs, storedDays);
    return { steps, rules, archived, storedDays };
  }

  async #apply(
    planned: PlannedStep,
    file: ViewedFile,
    goes: (series: number) => boolean,
    signal: AbortSignal,
  ): Promise<number | Blocked> {
    const { store, telemetryDir } = this.#options;
    const { fromDay, version: ifVersion, generation, level } = file;
    if (level !== 'raw') {
      const of = { level: level === 'hourly' ? '1h' : '1d', fromDay } as const;
      if (planned.action === 'drop') return answerOf(await store.call('dropRollups', { ...of, ifVersion }));
      return await trimRollups({ store, of, path: file.path, goes, signal });
    }
    if (planned.action === 'drop') return answerOf(await store.call('dropDay', { day: fromDay, generation, ifVersion }));
    const stayBytes = file.sizeBytes - planned.freesBytes;
    if (this.#freeBytes() < stayBytes * 1.2 + SPARE_BYTES) return 'no-room';
    const path = join(asideFolder(telemetryDir), `${fromDay}-${++this.#copies}.db`);
    try {
      await copySurvivors({ from: file.path, to: path, stays: (series) => !goes(series), signal });
    } catch (error) {
      if (isFull(error)) return 'no-room';
      throw error;
    }
    signal.throwIfAborted();
    this.#trimmedAtMs.set(fromDay, this.#options.clock.now());
    return answerOf(await store.call('replaceDay', { day: fromDay, generation, ifVersion, path }));
  }

  #isWorth({ planned, file }: FileStep<ViewedFile>, nowMs: number): boolean {
    if (planned.action === 'drop' || planned.level !== 'raw' || planned.freesBytes >= planned.sizeBytes * WORTH_SHARE)
      return true;
    return nowMs - (this.#trimmedAtMs.get(file.fromDay) ?? -Infinity) >= DAY_MS;
  }

  /** What was interrupted is done again, by the rules that hold now. */
  #again(): void {
    const { clock, logLines } = this.#options;
    const repeat = { cancel: () => {} };
    this.#repeats.push(repeat);
    repeat.cancel = clock.after(1000, () => {
      this.#repeats.splice(this.#repeats.indexOf(repeat), 1);
      this.run().catch((error: unknown) => logLines.error({ err: error }, 'A pass of retention failed; it is done again later'));
    });
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    const step = work();
    this.#steps.add(step);
    try {
      return await step;
    } finally {
      this.#steps.delete(step);
    }
  }

  #freeBytes(): number {
    const { freeBytes, telemetryDir } = this.#options;
    if (freeBytes !== undefined) return freeBytes();
    const { bavail, bsize } = statfsSync(telemetryDir);
    return bavail * bsize;
  }

  #repeat(everyMs: number, work: () => void | Promise<void>): void {
    const { clock, logLines } = this.#options;
    const repeat = { cancel: () => {} };
    this.#repeats.push(repeat);
    const again = async (): Promise<void> => {
      try {
        await work();
      } catch (error) {
        logLines.error({ err: error }, 'A pass of retention failed; it is done again later');
      }
      if (!this.#stop.signal.aborted) repeat.cancel = clock.after(everyMs, () => void again());
    };
    repeat.cancel = clock.after(everyMs, () => void again());
  }
}

/** The finer level first; of a level what needs no room first: it may make the room that the rest needs. */
function inOrder(steps: readonly FileStep<ViewedFile>[]): readonly FileStep<ViewedFile>[] {
  const levels = ['raw', 'hourly', 'daily'];
  const rank = ({ planned: { level, action } }: FileStep<ViewedFile>): number =>
    levels.indexOf(level) * 2 + (action === 'trim' ? 1 : 0);
  return steps.toSorted((a, b) => rank(a) - rank(b));
}

/** Finer points of the same days had to go first, and have not. */
function waitsFor({ file }: FileStep<ViewedFile>, failed: readonly FileStep<ViewedFile>[]): boolean {
  return failed.some(
    ({ planned, file: finer }) =>
      finer.level !== file.level && planned.blocked !== 'held' && finer.fromDay < file.toDay && finer.toDay > file.fromDay,
  );
}

function answerOf(answer: DropAnswer): number | Blocked {
  return answer.done ? answer.freedBytes : answer.kept;
}

/** Series of a file that are too old and not held. */
function goesByAge({ level, toDay }: ViewedFile, { classes, order }: RetentionRules, nowMs: number): (series: number) => boolean {
  return (series) => {
    const found = classes?.of(series) ?? 0;
    const kept = order.classes[classIndex(found)];
    return !isHeld(found) && kept !== undefined && isOver(toDay, kept[level], nowMs);
  };
}

function isFull(error: unknown): boolean {
  // SQLITE_FULL
  return (
    systemCode(error) === 'ENOSPC' || (error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === 13)
  );
}
