import type { Catalog } from './catalog.ts';
import type { ChunkWriter } from './chunk-writer.ts';
import type { ConsumedSteps, Positions } from './consumed-steps.ts';
import type { DayFiles } from './day-files.ts';
import type { DeadLetterStore } from './dead-letter-store.ts';
import type { Memtable } from './memtable.ts';
import type { MessageMemory } from '../payloads/message-memory.ts';
import type { QualityStore } from './quality-store.ts';

export interface LowWaterParts {
  readonly memtable: Memtable;
  readonly steps: ConsumedSteps;
  readonly files: DayFiles;
  readonly writer: ChunkWriter;
  readonly catalog: Catalog;
  readonly deadLetters: DeadLetterStore;
  readonly quality: QualityStore;
  /** What readers of messages remember; none: nothing. */
  readonly memory: Pick<MessageMemory, 'makeDurable'> | undefined;
  /** Where each partition is consumed up to. */
  readonly consumed: () => Positions;
}

/**
 * Advances the mark below which the log is not needed any more, in slices that each sync one file.
 *
 *   begin   the least position that a point in memory has: everything before it is committed
 *   sync    dead letters and what is wrong with points, then each day file that has commits: until then the log is their write-ahead log
 *   save    the mark, in the catalog; then the log may drop what lies before it
 *
 * The mark never goes back: the catalog keeps nothing of what it has passed. So what is consumed after `begin` must belong
 * to a step that begins after it (TelemetryWriter.beginLowWater).
 */
export class LowWater {
  readonly #parts: LowWaterParts;
  #target: Positions | undefined;
  #assignedMs = 0;
  #days: number[] = [];
  /** The mark that is durable. */
  saved: Positions = [];

  constructor(parts: LowWaterParts) {
    this.#parts = parts;
  }

  /** True while a round is under way. */
  get running(): boolean {
    return this.#target !== undefined;
  }

  /**
   * @param positions where the log is consumed up to, now
   * @param assignedMs the newest time that a sample without one was given up to there
   */
  begin(positions: Positions, assignedMs: number): void {
    const { memtable, steps, files } = this.#parts;
    const oldest = memtable.oldestStep();
    this.#target = oldest === Infinity ? [...positions] : steps.positions(oldest);
    this.#assignedMs = oldest === Infinity ? assignedMs : steps.assignedMs(oldest);
    this.#days = files.dirtyDays();
    steps.dropBefore(oldest);
  }

  /**
   * One slice. @returns the new mark when it is durable; undefined when there is more to do, or when the round was given
   * up because a reader was in the way. Throws what SQLite throws: the round is given up.
   */
  step(): Positions | undefined {
    const { files, writer, catalog, deadLetters, quality, memory, consumed } = this.#parts;
    const target = this.#target;
    if (target === undefined) return undefined;
    this.#target = undefined;
    const day = this.#days.pop();
    if (day !== undefined) {
      if (files.makeDurable(day)) this.#target = target;
      return undefined;
    }
    if (!deadLetters.makeDurable(catalog.log)) return undefined;
    memory?.makeDurable(new Map(this.saved.map((upto, index) => [writer.partitions[index]!, upto])));
    quality.write(catalog.log, writer.partitions, consumed());
    const untouched = writer.daysNotBeyond(target);
    catalog.saveLowWater(new Map(target.map((upto, index) => [writer.partitions[index]!, upto])), untouched, this.#assignedMs);
    writer.passed(target);
    writer.untouch(untouched);
    this.saved = target;
    return target;
  }
}
