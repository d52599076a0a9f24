import { isSelsynError } from '../kernel/errors.ts';
import { decodeStored, type ChunkReader, type StoredChunk } from './chunk-reader.ts';
import { DAY_MS } from './day-file-schema.ts';
import { lowerBound, mergeColumns, sliceIndex, sliceTime, type Columns } from './query-columns.ts';
import type { QueryPace } from './query-pace.ts';

/** Chunks read by one statement: up to 64k points, a millisecond. */
const PAGE_CHUNKS = 32;

/**
 * Walks the points of one series in ascending time: those of the day files and the hot ones, the later write winning.
 *
 * Each step covers [#atMs, horizon) and leaves no point of it behind:
 * ```
 *   chunks by start   ├──1──┤ ├──2──┤├────3────┤
 *                          ├──4──┤        ├──5──┤   a full page ends here: the horizon is the start of 5,
 *   hot points                   x   x  x   x       for a chunk that is not in the page cannot start before it
 * ```
 * The next step asks anew for chunks that overlap [horizon, to): it needs nothing from the one before, so chunks may
 * be added, joined or dropped in between.
 */
export class SeriesWalk {
  readonly #reader: ChunkReader;
  readonly #pace: QueryPace;
  readonly #series: number;
  readonly #hot: Columns;
  readonly #toMs: number;
  readonly #days: readonly number[] | Float64Array;
  readonly #onUndecodable: ((chunk: StoredChunk) => void) | undefined;
  #pageChunks: number;
  #dayIndex = 0;
  #atMs: number;

  constructor(options: {
    readonly reader: ChunkReader;
    readonly pace: QueryPace;
    readonly series: number;
    readonly hot: Columns;
    readonly fromMs: number;
    readonly toMs: number;
    /** The days to look into, ascending: those of the reader, or those of them known to hold points of this series. */
    readonly days: readonly number[] | Float64Array;
    /** How many chunks the first step asks for, where less than a page is likely to do; each later step asks for twice as many. */
    readonly firstChunks?: number;
    /** Told of each chunk that cannot be decoded, perhaps several times, which is left out then. Without it a step fails with `data.corrupt`. */
    readonly onUndecodable?: (chunk: StoredChunk) => void;
  }) {
    this.#reader = options.reader;
    this.#pace = options.pace;
    this.#series = options.series;
    this.#hot = sliceTime(options.hot, options.fromMs, options.toMs);
    this.#atMs = options.fromMs;
    this.#toMs = options.toMs;
    this.#days = options.days;
    this.#onUndecodable = options.onUndecodable;
    this.#pageChunks = Math.min(PAGE_CHUNKS, options.firstChunks ?? PAGE_CHUNKS);
  }

  /** Appends the next runs, each after the one before, and is false once there are none any more. */
  step(runs: Columns[]): boolean {
    if (this.#atMs >= this.#toMs) return false;
    const day = this.#days[this.#dayIndex];
    if (day === undefined) {
      this.#gather([], this.#toMs, runs);
      return true;
    }
    const endMs = Math.min((day + 1) * DAY_MS, this.#toMs);
    let limit = this.#pageChunks;
    this.#pageChunks = Math.min(PAGE_CHUNKS, limit * 2);
    for (; ; limit *= 2) {
      const chunks = this.#reader.page(day, this.#series, this.#atMs, endMs, limit);
      const full = chunks.length === limit;
      const horizonMs = full ? chunks[limit - 1]!.startMs : endMs;
      // So many chunks over one instant that the page does not get beyond it: take a larger one.
      if (full && horizonMs <= this.#atMs) continue;
      if (!full) this.#dayIndex++;
      this.#gather(full ? chunks.filter((chunk) => chunk.startMs < horizonMs) : chunks, horizonMs, runs);
      return true;
    }
  }

  /** Appends the runs of [#atMs, horizon), given all chunks that overlap it, and moves on to the horizon. */
  #gather(chunks: readonly StoredChunk[], horizonMs: number, runs: Columns[]): void {
    const hot = sliceTime(this.#hot, this.#atMs, horizonMs);
    let hotAt = 0;
    for (let i = 0; i < chunks.length;) {
      let next = i + 1;
      let endMs = chunks[i]!.endMs;
      while (next < chunks.length && chunks[next]!.startMs <= endMs) endMs = Math.max(endMs, chunks[next++]!.endMs);
      const hotBefore = lowerBound(hot.times, chunks[i]!.startMs, hotAt);
      const hotWithin = lowerBound(hot.times, endMs + 1, hotBefore);
      push(runs, sliceIndex(hot, hotAt, hotBefore));
      push(runs, this.#join(chunks.slice(i, next), sliceIndex(hot, hotBefore, hotWithin), horizonMs));
      hotAt = hotWithin;
      i = next;
    }
    push(runs, sliceIndex(hot, hotAt, hot.times.length));
    this.#atMs = horizonMs;
  }

  /** The points of chunks that overlap one another and of the hot points among them; a larger id is a later write. */
  #join(chunks: StoredChunk[], hot: Columns, horizonMs: number): Columns {
    if (chunks.length > 1) chunks.sort((a, b) => a.id - b.id);
    const writes: Columns[] = [];
    for (const chunk of chunks) {
      this.#pace.reading(chunk.count);
      const points = this.#decode(chunk);
      if (points !== undefined) writes.push(sliceTime(points, this.#atMs, horizonMs));
    }
    if (writes.length === 1 && hot.times.length === 0) return writes[0]!;
    writes.push(hot);
    return mergeColumns(writes);
  }

  #decode(chunk: StoredChunk): Columns | undefined {
    try {
      return decodeStored(chunk.data, { series: this.#series, chunk: chunk.id });
    } catch (error) {
      if (this.#onUndecodable === undefined || !isSelsynError(error, 'data.corrupt')) throw error;
      this.#onUndecodable(chunk);
      return undefined;
    }
  }
}

function push(runs: Columns[], run: Columns): void {
  if (run.times.length > 0) runs.push(run);
}
