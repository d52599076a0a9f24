import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { IdlePace, type Pace } from './idle-pace.ts';
import { readPaced } from './paced-query.ts';
import type { MergeRequest, ParquetFacts, SeriesPoints } from './parquet-files.ts';
import { condition, copyToParquet, FILE_COLUMNS, readFiles } from './parquet-sql.ts';
import { pointTable, type PointScanSource } from './point-scan.ts';
import { RunCollector } from './run-collector.ts';
import { TableScans } from './table-scans.ts';

/** A draft keeps so many points in memory; then they go into a piece of their own. */
const PIECE_POINTS = 1_000_000;
/** Batches may be of many tiny series: what they take besides their points. */
const MAX_PIECE_SERIES = 200_000;

/** Stands beside the path until it is complete. */
function unfinished(path: string): string {
  return `${path}.unfinished`;
}

/** Files of points that are written. */
export class ParquetWriting {
  readonly #connection: DuckDBConnection;
  readonly #scratchDir: string;
  readonly #drafts = new Map<number, Draft>();
  readonly #scans: TableScans;
  readonly #newPace: () => Pace;
  #pieces = 0;

  /** @param newPace for each join that lets others have the processors while they need them */
  constructor(connection: DuckDBConnection, scratchDir: string, newPace: () => Pace = () => new IdlePace()) {
    this.#connection = connection;
    this.#scratchDir = scratchDir;
    this.#newPace = newPace;
    this.#scans = new TableScans(connection);
  }

  /** Writes the rows of a source; a file without rows is none. */
  async writeScan(source: PointScanSource, path: string): Promise<ParquetFacts | undefined> {
    const facts = await this.#withScan(source, async (query) => await this.#copy(query, path));
    if (facts.rows > 0) return facts;
    rmSync(path);
    return undefined;
  }

  async append(number: number, batch: readonly SeriesPoints[]): Promise<void> {
    let draft = this.#drafts.get(number);
    if (draft === undefined) this.#drafts.set(number, (draft = new Draft()));
    for (const series of batch) {
      draft.collector.add(series);
      draft.series++;
    }
    if (draft.collector.points >= PIECE_POINTS || draft.series >= MAX_PIECE_SERIES) await this.#endPiece(draft);
  }

  async finish(number: number, path: string): Promise<ParquetFacts> {
    const draft = this.#drafts.get(number) ?? new Draft();
    try {
      if (draft.pieces.length === 0) {
        return await this.#withScan(draft.collector, async (query) => await this.#copy(query, path));
      }
      await this.#endPiece(draft);
      return await this.#copy(`SELECT * FROM ${readFiles(draft.pieces)}`, path);
    } finally {
      this.abandon(number);
    }
  }

  abandon(number: number): void {
    for (const piece of this.#drafts.get(number)?.pieces ?? []) rmSync(piece, { force: true });
    this.#drafts.delete(number);
  }

  async merge({ files, path, where = {}, disjoint = false, isPaced = false }: MergeRequest): Promise<ParquetFacts> {
    const pace = isPaced ? this.#newPace() : undefined;
    const [only] = files;
    if (only !== undefined && files.length === 1) {
      return await this.#copy(`SELECT * FROM ${readFiles([only])} WHERE ${condition(where)}`, path, pace);
    }
    if (disjoint) {
      const all = `SELECT * FROM ${readFiles(files)} WHERE ${condition(where)} ORDER BY device, metric, time`;
      return await this.#copy(all, path, pace);
    }
    const parts = files.map((file, index) => `SELECT *, ${index} AS part FROM ${readFiles([file])} WHERE ${condition(where)}`);
    // Of rows with the same key the last part comes first, and stays.
    const newest = `SELECT device, metric, time, value, text, flag FROM (${parts.join(' UNION ALL ')})
      QUALIFY row_number() OVER (PARTITION BY device, metric, time ORDER BY part DESC) = 1
      ORDER BY device, metric, time`;
    return await this.#copy(newest, path, pace);
  }

  async verify(path: string, pace?: Pace): Promise<ParquetFacts> {
    // Hashes make the engine decode every value of every column.
    const facts = `SELECT count(*)::DOUBLE, epoch_ms(min(time))::DOUBLE, epoch_ms(max(time))::DOUBLE, min(device), max(device),
        bit_xor(hash(device, metric, time, value, text, flag)) FROM ${readFiles([path])}`;
    const rows =
      pace === undefined
        ? (await this.#connection.runAndReadAll(facts)).getRows()
        : await readPaced(this.#connection, facts, pace);
    const [count, minTimeMs, maxTimeMs, firstDevice, lastDevice] = rows[0] as [
      number,
      number | null,
      number | null,
      string | null,
      string | null,
    ];
    return {
      path,
      rows: count,
      bytes: statSync(path).size,
      minTimeMs: minTimeMs ?? undefined,
      maxTimeMs: maxTimeMs ?? undefined,
      firstDevice: firstDevice ?? undefined,
      lastDevice: lastDevice ?? undefined,
    };
  }

  async #endPiece(draft: Draft): Promise<void> {
    if (draft.collector.points === 0) return;
    const { collector } = draft;
    draft.collector = new RunCollector();
    draft.series = 0;
    const piece = join(this.#scratchDir, `piece-${++this.#pieces}.parquet`);
    draft.pieces.push(piece);
    await this.#withScan(collector, async (query) => void (await this.#connection.run(copyToParquet(query, piece))));
  }

  /** @param pace absent: somebody waits for it, or the query asks this thread for its rows, which rests itself */
  async #copy(query: string, path: string, pace?: Pace): Promise<ParquetFacts> {
    const aside = unfinished(path);
    try {
      if (pace === undefined) await this.#connection.run(copyToParquet(query, aside));
      else await readPaced(this.#connection, copyToParquet(query, aside), pace);
      sync(aside);
      const facts = await this.verify(aside, pace);
      renameSync(aside, path);
      sync(dirname(path));
      return { ...facts, path };
    } catch (error) {
      rmSync(aside, { force: true });
      throw error;
    }
  }

  async #withScan<T>(source: PointScanSource, use: (query: string) => Promise<T>): Promise<T> {
    const scan = this.#scans.add(pointTable(source));
    try {
      return await use(`SELECT ${FILE_COLUMNS} FROM ${scan.sql}`);
    } finally {
      scan.remove();
    }
  }
}

class Draft {
  collector = new RunCollector();
  series = 0;
  readonly pieces: string[] = [];
}

function sync(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
