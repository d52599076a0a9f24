import type { Clock } from '../kernel/clock.ts';
import { isSelsynError } from '../kernel/errors.ts';
import { inTransaction } from '../kernel/sqlite-transaction.ts';
import { sortPoints } from './buffer-points.ts';
import { insertChunks } from './chunk-writer.ts';
import { decodeChunk, type DecodedChunk } from './codec/chunk-codec.ts';
import { FRESH_CHUNKS, planCompaction, SETTLED_CHUNKS, type ChunkForm, type ChunkSpan } from './compaction-plan.ts';
import { dayOf } from './day-file-schema.ts';
import type { DayFile, DayFiles } from './day-files.ts';
import type { PointValue } from './telemetry-queries.ts';

/** A day that is over is compacted once nothing was written to it for so long. */
const QUIET_MS = 60_000;
/** The day that is being written is compacted so often. */
const AGAIN_MS = 3_600_000;
const SLICE_MS = 6;
/** Rows of the index that one slice looks at. */
const PAGE = 4096;
const VACUUM_PAGES = 256;

const SPANS = 'SELECT id, series, start_ms, end_ms, count FROM chunk WHERE series > ? ORDER BY series, start_ms LIMIT ?';
const SPANS_OF_SERIES = 'SELECT id, series, start_ms, end_ms, count FROM chunk WHERE series = ? ORDER BY start_ms';
const CHUNK = 'SELECT data FROM chunk WHERE id = ?';
const DELETE_CHUNK = 'DELETE FROM chunk WHERE id = ?';

interface Pass {
  readonly day: number;
  readonly startMs: number;
  /** Up to this one all series are done. */
  series: number;
}

/** Rewrites small and overlapping chunks, a bounded slice at a time; each slice is one transaction. */
export class Compactor {
  readonly #files: DayFiles;
  readonly #clock: Clock;
  /** Days to compact, with the time of the last commit to them. */
  readonly #changed = new Map<number, number>();
  readonly #lastPassMs = new Map<number, number>();
  readonly #onCompacted: (day: number) => void;
  #pass: Pass | undefined;
  chunksIn = 0;
  chunksOut = 0;

  /** @param options.onCompacted called when a day that is over needs no further pass, as long as nothing is written to it */
  constructor(options: { readonly files: DayFiles; readonly clock: Clock; readonly onCompacted: (day: number) => void }) {
    this.#files = options.files;
    this.#clock = options.clock;
    this.#onCompacted = options.onCompacted;
  }

  /** Chunks were written to a day. */
  changed(day: number): void {
    this.#changed.set(day, this.#clock.monotonicMs());
  }

  /**
   * Does a slice, if there is anything to do. @returns true when more is left of the pass that is under way.
   * Throws what SQLite throws: nothing of the slice was changed, and the day is tried again later.
   */
  step(): boolean {
    const pass = (this.#pass ??= this.#next());
    if (pass === undefined) return false;
    if (!this.#files.has(pass.day)) {
      // Dropped, or set aside, since the pass began.
      this.#pass = undefined;
      return false;
    }
    try {
      const file = this.#files.use(pass.day);
      if (this.#compact(file, pass) || this.#vacuum(file)) return true;
      if (this.#isOver(pass.day)) this.#files.cutLog(pass.day);
    } catch (error) {
      this.#pass = undefined;
      this.changed(pass.day);
      // Else it would be its turn again at once, and never that of the others.
      if (!this.#isOver(pass.day)) this.#lastPassMs.set(pass.day, pass.startMs);
      this.#files.failed(pass.day, error);
      throw error;
    }
    this.#pass = undefined;
    this.#lastPassMs.set(pass.day, pass.startMs);
    if (this.#changed.get(pass.day)! <= pass.startMs) {
      this.#changed.delete(pass.day);
      if (this.#isOver(pass.day)) {
        this.#lastPassMs.delete(pass.day);
        this.#onCompacted(pass.day);
      } else this.#changed.set(pass.day, pass.startMs);
    }
    return false;
  }

  #next(): Pass | undefined {
    const nowMs = this.#clock.monotonicMs();
    for (const [day, changedMs] of this.#changed) {
      if (!this.#files.has(day)) {
        this.#changed.delete(day);
        continue;
      }
      const lastPassMs = this.#lastPassMs.get(day);
      if (lastPassMs === undefined && !this.#isOver(day)) this.#lastPassMs.set(day, nowMs);
      const due = this.#isOver(day) ? nowMs - changedMs >= QUIET_MS : lastPassMs !== undefined && nowMs - lastPassMs >= AGAIN_MS;
      if (due) return { day, startMs: nowMs, series: -1 };
    }
    return undefined;
  }

  #isOver(day: number): boolean {
    return day < dayOf(this.#clock.now());
  }

  /** @returns true when there are more series */
  #compact(file: DayFile, pass: Pass): boolean {
    const startMs = this.#clock.monotonicMs();
    const { series, more } = spansBySeries(file, pass.series);
    const form = this.#isOver(file.day) ? SETTLED_CHUNKS : FRESH_CHUNKS;
    let done = pass.series;
    let cut = false;
    // Reading alone takes no lock: the transaction begins with the first series that needs it.
    const planned = [...series].map(([id, spans]) => ({ id, groups: planCompaction(spans, form) }));
    const work = planned.filter(({ groups }) => groups.length > 0);
    if (work.length > 0) {
      inTransaction(file.db, () => {
        for (const { id, groups } of work) {
          for (const group of groups) this.#merge(file, id, group, form);
          done = id;
          cut = this.#clock.monotonicMs() - startMs > SLICE_MS && id !== work.at(-1)!.id;
          if (cut) break;
        }
      });
      this.#files.setDirty(file.day);
    }
    pass.series = cut ? done : (planned.at(-1)?.id ?? pass.series);
    return cut || more;
  }

  #merge(file: DayFile, series: number, group: readonly ChunkSpan[], form: ChunkForm): void {
    const chunks = decoded(file, group);
    // It stays as it is, and keeps no other group from being merged.
    if (chunks === undefined) return;
    const count = chunks.reduce((sum, chunk) => sum + chunk.count, 0);
    const times = new Float64Array(count);
    const numeric = chunks.every(({ values }) => values instanceof Float64Array);
    const values: Float64Array | PointValue[] = numeric ? new Float64Array(count) : [];
    let at = 0;
    for (const chunk of chunks) {
      for (let i = 0; i < chunk.count; i++, at++) {
        times[at] = chunk.times[i]!;
        values[at] = chunk.values[i]!;
      }
    }
    // Before those go that they replace: so their ids are greater than any was, and whoever copies chunks by their ids meets them.
    const { chunks: written } = insertChunks(file, series, sortPoints(times, values, count), form);
    for (const { id } of group) file.statement(DELETE_CHUNK).run(id);
    this.chunksIn += group.length;
    this.chunksOut += written;
  }

  /** Gives free pages back, of a day that is over. @returns true when there are more */
  #vacuum(file: DayFile): boolean {
    if (!this.#isOver(file.day)) return false;
    const free = Number(file.db.prepare('PRAGMA freelist_count').get()?.['freelist_count'] ?? 0);
    if (free === 0) return false;
    file.db.exec(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`);
    this.#files.setDirty(file.day);
    return free > VACUUM_PAGES;
  }
}

/** In order of id: of equal times the later chunk wins, as when they are read. Undefined where one of them cannot be decoded. */
function decoded(file: DayFile, group: readonly ChunkSpan[]): DecodedChunk[] | undefined {
  try {
    return [...group]
      .sort((a, b) => a.id - b.id)
      .map(({ id }) => {
        const row = file.statement(CHUNK).get(id);
        // The column is a BLOB, NOT NULL, and the id was read from the same table.
        return decodeChunk(row!['data'] as Uint8Array);
      });
  } catch (error) {
    if (isSelsynError(error, 'data.corrupt')) return undefined;
    throw error;
  }
}

/** Whole series after `after`, as many as fit in a page of the index, at least one. */
function spansBySeries(
  file: DayFile,
  after: number,
): { readonly series: ReadonlyMap<number, ChunkSpan[]>; readonly more: boolean } {
  const rows = file.statement(SPANS).all(after, PAGE);
  const found = new Map<number, ChunkSpan[]>();
  for (const row of rows) add(found, row);
  if (rows.length < PAGE) return { series: found, more: false };
  const last = Number(rows.at(-1)!['series']);
  found.delete(last);
  if (found.size === 0) for (const row of file.statement(SPANS_OF_SERIES).all(last)) add(found, row);
  return { series: found, more: true };
}

function add(found: Map<number, ChunkSpan[]>, row: Record<string, unknown>): void {
  const series = Number(row['series']);
  const span = {
    id: Number(row['id']),
    startMs: Number(row['start_ms']),
    endMs: Number(row['end_ms']),
    count: Number(row['count']),
  };
  const spans = found.get(series);
  if (spans === undefined) found.set(series, [span]);
  else spans.push(span);
}
