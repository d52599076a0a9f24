import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Caller } from '../kernel/thread-channel.ts';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import type { UpkeepStoreCalls } from '../telemetry/upkeep-calls.ts';
import type { ArchiveGate } from './archive-gate.ts';
import { dateOf } from './planner.ts';
import type { RetentionRunner } from './retention-runner.ts';
import type { RetentionRules, ViewedFile } from './retention-view.ts';
import { isHeld } from './series-classes.ts';

/** Lets the oldest raw data go where the volume is short of space: a day at a time, whatever its age, never of today. */
export class SpaceMaker {
  readonly #parts: {
    readonly runner: RetentionRunner;
    readonly store: Caller<UpkeepStoreCalls>;
    readonly archive: ArchiveGate | undefined;
    readonly clock: Clock;
    readonly logLines: LogLines;
  };

  constructor(parts: {
    readonly runner: RetentionRunner;
    readonly store: Caller<UpkeepStoreCalls>;
    readonly archive: ArchiveGate | undefined;
    readonly clock: Clock;
    readonly logLines: LogLines;
  }) {
    this.#parts = parts;
  }

  /** @returns the bytes; undefined where nothing may go: it is held, not archived, or not rolled up yet */
  async dropOldest(): Promise<number | undefined> {
    for (;;) {
      const signal = this.#parts.runner.rulesHold;
      try {
        return await this.#dropOldest(signal);
      } catch (error) {
        // A hold was made meanwhile: what may go is found anew.
        if (!signal.aborted || this.#parts.runner.stopped) throw error;
      }
    }
  }

  async #dropOldest(signal: AbortSignal): Promise<number | undefined> {
    const { runner, store, clock } = this.#parts;
    const rules = await runner.view.rules();
    const nowMs = clock.now();
    // Its age counts for nothing here, and so does the clock: only which is the oldest.
    const input = { ...runner.view.inputOf(rules, nowMs), uniform: true };
    const files = await runner.view.files(await store.call('storeFiles', null), rules, input, signal);
    const today = Math.floor(nowMs / DAY_MS);
    // The newest is being written, whatever the clock says.
    const raw = files.filter(({ level }) => level === 'raw').slice(0, -1);
    for (const file of raw.filter(({ fromDay }) => fromDay < today)) {
      const freed = await this.#tryDrop(file, rules, signal);
      if (freed !== undefined) return freed;
    }
    return undefined;
  }

  /** One day of which that fails keeps no other from going. */
  async #tryDrop(file: ViewedFile, rules: RetentionRules, signal: AbortSignal): Promise<number | undefined> {
    try {
      return await this.#dropFile(file, rules, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      this.#parts.logLines.error({ file: file.file, err: error }, 'A day could not be let go for want of space');
      return undefined;
    }
  }

  async #dropFile(file: ViewedFile, rules: RetentionRules, signal: AbortSignal): Promise<number | undefined> {
    const { runner, archive } = this.#parts;
    if (file.keptBecause !== undefined && file.keptBecause !== 'not-archived') return undefined;
    const { fromDay: day, generation, version } = file;
    if (archive !== undefined && !(await archive.isArchived({ day, generation, version }))) return undefined;
    const shares = rules.holds.length === 0 ? new Map<number, number>() : await runner.view.sharesOf(file, rules, signal);
    const total = [...shares.values()].reduce((sum, share) => sum + share, 0);
    const held = [...shares].reduce((sum, [found, share]) => sum + (isHeld(found) ? share : 0), 0);
    if (total > 0 && held === total) return undefined;
    const goes = (series: number): boolean => !isHeld(rules.classes?.of(series) ?? 0);
    return await this.#drop(file, held / Math.max(1, total), { because: 'space', goes, signal });
  }

  async #drop(file: ViewedFile, held: number, options: Parameters<RetentionRunner['letGoOf']>[1]): Promise<number | undefined> {
    const date = dateOf(file.fromDay);
    const freesBytes = Math.floor(file.sizeBytes * (1 - held));
    const planned = {
      level: 'raw',
      file: file.file,
      from: date,
      to: date,
      action: held > 0 ? 'trim' : 'drop',
      sizeBytes: file.sizeBytes,
      freesBytes,
    } as const;
    const freed = await this.#parts.runner.letGoOf({ planned, file }, options);
    // One that gives nothing back would be tried for ever.
    return typeof freed === 'number' && freed > 0 ? freed : undefined;
  }
}
