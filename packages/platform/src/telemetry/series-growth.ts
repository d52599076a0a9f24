import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const EVERY_MS = 10 * 60_000;
/** Ten minutes longer than a day, so that there is always one from before it. */
const MAX_MARKS = 146;

/** At `atMs` all series with an id below `next` were there. */
interface GrowthMark {
  readonly atMs: number;
  readonly next: number;
}

/**
 * Remembers which series are new: ids are given out in ascending order, so one number every ten minutes tells the age of each of them.
 * Kept in a small file: what it loses, a report does without.
 */
export class SeriesGrowth {
  readonly #path: string;
  #marks: GrowthMark[] = [];
  /** What went wrong with the file the last time. */
  fault: unknown;

  constructor(telemetryDir: string) {
    this.#path = join(telemetryDir, 'series-growth.json');
  }

  /** @param next the id of the next series */
  open(nowMs: number, next: number): void {
    try {
      this.#marks = marksOf(JSON.parse(readFileSync(this.#path, 'utf8'))).filter(
        (mark) => mark.atMs <= nowMs && mark.atMs > nowMs - DAY_MS - 2 * EVERY_MS && mark.next <= next,
      );
    } catch {
      this.#marks = [];
    }
    if (this.#marks.length === 0) this.#add(nowMs, next);
  }

  /** Takes note, every ten minutes. */
  look(nowMs: number, next: number): void {
    const last = this.#marks.at(-1);
    // The clock may have been set back.
    if (last !== undefined && nowMs >= last.atMs && nowMs < last.atMs + EVERY_MS) return;
    if (last !== undefined && nowMs < last.atMs) this.#marks = [];
    this.#add(nowMs, next);
  }

  get sinceMs(): number {
    return this.#marks[0]?.atMs ?? 0;
  }

  /** Series with this id and later ones are not older than an hour, a day; or than what is known. */
  boundaries(nowMs: number): { readonly hour: number; readonly day: number } {
    return { hour: this.#nextAt(nowMs - HOUR_MS), day: this.#nextAt(nowMs - DAY_MS) };
  }

  #nextAt(atMs: number): number {
    const mark = this.#marks.findLast((one) => one.atMs <= atMs) ?? this.#marks[0];
    return mark?.next ?? Infinity;
  }

  #add(atMs: number, next: number): void {
    this.#marks.push({ atMs, next });
    if (this.#marks.length > MAX_MARKS) this.#marks.shift();
    try {
      writeFileSync(`${this.#path}.new`, JSON.stringify(this.#marks));
      renameSync(`${this.#path}.new`, this.#path);
      this.fault = undefined;
    } catch (error) {
      this.fault = error;
    }
  }
}

function marksOf(content: unknown): GrowthMark[] {
  if (!Array.isArray(content)) return [];
  return content.flatMap((one: unknown) => {
    if (typeof one !== 'object' || one === null) return [];
    const [atMs, next] = [Reflect.get(one, 'atMs') as unknown, Reflect.get(one, 'next') as unknown];
    return typeof atMs === 'number' && typeof next === 'number' ? [{ atMs, next }] : [];
  });
}
