import type { DayFiles } from './day-files.ts';
import type { Positions } from './consumed-steps.ts';

/** A row of `progress`, with the partitions in the order of this process. */
export interface ProgressRow {
  readonly id: number;
  readonly positions: Positions;
}

/** `{"0":12,"1":7}` <-> positions of `partitions`; one that is not in it had no records consumed. */
export function encodePositions(partitions: readonly number[], positions: Positions): string {
  return JSON.stringify(Object.fromEntries(partitions.map((partition, index) => [partition, positions[index]!])));
}

export function decodePositions(partitions: readonly number[], text: string): Positions {
  const upto = JSON.parse(text) as Record<string, number>;
  return partitions.map((partition) => upto[partition] ?? 0);
}

/** True when every position of `a` is at or below that of `b`. */
export function notBeyond(a: Positions, b: Positions): boolean {
  return a.every((position, index) => position <= b[index]!);
}

/**
 * What day files say they hold already, while the log is replayed: points before it are skipped.
 *
 * Only days that were touched since the low-water mark have marks that can matter; the others cost nothing.
 */
export class ReplayMarks {
  readonly #days = new Map<number, Map<number, Positions>>();

  /** @returns the rows of `progress` that speak of the log, ascending by id */
  load(files: DayFiles, day: number, log: number, partitions: readonly number[]): ProgressRow[] {
    const file = files.use(day);
    const rows: ProgressRow[] = [];
    const byId = new Map<number, Positions>();
    for (const row of file.db.prepare('SELECT id, upto FROM progress WHERE log = ? ORDER BY id').all(log)) {
      const positions = decodePositions(partitions, String(row['upto']));
      rows.push({ id: Number(row['id']), positions });
      byId.set(Number(row['id']), positions);
    }
    const marks = new Map<number, Positions>();
    const statement = file.db.prepare('SELECT series, progress FROM mark');
    statement.setReturnArrays(true);
    for (const row of statement.iterate() as Iterable<unknown>) {
      const [series, progress] = row as [number, number];
      const positions = byId.get(progress);
      if (positions !== undefined) marks.set(series, positions);
    }
    if (marks.size > 0) this.#days.set(day, marks);
    return rows;
  }

  get days(): number {
    return this.#days.size;
  }

  /** The marks of a day by series. */
  of(day: number): ReadonlyMap<number, Positions> | undefined {
    return this.#days.get(day);
  }

  /** Everything that marks speak of is consumed. */
  clear(): void {
    this.#days.clear();
  }
}
