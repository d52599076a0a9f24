import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { DAY_FILE_PAGE_BYTES } from '../telemetry/day-file-schema.ts';

/** Copies are made beside the folders of what they replace, on the same volume. */
export function asideFolder(telemetryDir: string): string {
  return join(telemetryDir, 'aside');
}

/** What a kill has left. */
export function clearAside(telemetryDir: string): void {
  if (!existsSync(asideFolder(telemetryDir))) return;
  for (const name of readdirSync(asideFolder(telemetryDir))) rmSync(join(asideFolder(telemetryDir), name), { force: true });
}

export interface FileVersion {
  readonly generation: number;
  readonly version: number;
}

/** Undefined where the file is gone, or not set up yet. Throws what SQLite throws. */
export function readFileVersion(path: string): FileVersion | undefined {
  if (!existsSync(path)) return undefined;
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    db.exec('PRAGMA busy_timeout = 1000');
    const table = db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'meta'").get();
    if (table === undefined) return undefined;
    const meta = new Map(
      db
        .prepare('SELECT name, value FROM meta')
        .all()
        .map((row) => [row['name'], Number(row['value'])]),
    );
    return { generation: meta.get('generation') ?? 0, version: meta.get('version') ?? 0 };
  } finally {
    db.close();
  }
}

/** So many rows are copied between two looks at other work. */
const ROWS = 2_000;

/**
 * Copies a day file, or a file of rollups, without the series that are let go, to `to`: complete, synced and closed when it
 * resolves.
 *
 * It has no snapshot of the file, which would keep its writer from a checkpoint: the writer takes the copy only when the file
 * is still of the version that it was before. Compaction meanwhile does no harm: what it writes comes last.
 *
 * Everything but chunks, marks and rollups is copied as it is: the hours with their versions, and how far the ids of
 * `progress` were given (a mark must never speak of another row than it did). A day file gets an `origin`: the generation
 * that it had before anything was taken from it. The archive knows by it that what is missing was let go, not never there.
 *
 * @throws what SQLite throws (`SQLITE_FULL` where there is no room): nothing is left at `to`
 */
export async function copySurvivors(options: {
  readonly from: string;
  readonly to: string;
  readonly stays: (series: number) => boolean;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { from, to, stays, signal } = options;
  mkdirSync(dirname(to), { recursive: true });
  rmSync(to, { force: true });
  try {
    const db = new DatabaseSync(to);
    try {
      await fill(db, from, stays, signal);
    } finally {
      db.close();
    }
    const file = openSync(to, 'r');
    fsyncSync(file);
    closeSync(file);
  } catch (error) {
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(to + suffix, { force: true });
    throw error;
  }
}

async function fill(db: DatabaseSync, from: string, stays: (series: number) => boolean, signal: AbortSignal): Promise<void> {
  // Nothing of it counts before it is synced and taken.
  db.exec(`PRAGMA page_size = ${DAY_FILE_PAGE_BYTES}`);
  db.exec('PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8192;');
  db.prepare('ATTACH ? AS source').run(`${pathToFileURL(from).href}?mode=ro`);
  db.exec('PRAGMA busy_timeout = 1000');
  db.function('stays', { deterministic: true }, (series) => Number(stays(Number(series))));
  const schema = db
    .prepare("SELECT type, name, sql FROM source.sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    .all();
  const create = (type: string): void => {
    for (const row of schema) if (row['type'] === type) db.exec(String(row['sql']));
  };
  create('table');
  for (const { name } of schema.filter((row) => row['type'] === 'table')) {
    const copy = PAGED.get(String(name)) ?? copyWhole;
    await copy(db, String(name), signal);
  }
  if (schema.some(({ name }) => name === 'progress')) {
    db.exec("INSERT INTO sqlite_sequence SELECT * FROM source.sqlite_sequence WHERE name = 'progress'");
    db.exec("INSERT OR IGNORE INTO meta SELECT 'origin', value FROM source.meta WHERE name = 'generation'");
  }
  create('index');
  db.exec(`PRAGMA user_version = ${Number(db.prepare('PRAGMA source.user_version').get()?.['user_version'])}`);
  db.exec('DETACH source; PRAGMA journal_mode = WAL;');
}

type CopyTable = (db: DatabaseSync, table: string, signal: AbortSignal) => void | Promise<void>;

const copyWhole: CopyTable = (db, table) => {
  // The rows of `progress` are all before the low-water mark: of no more interest.
  if (table !== 'progress') db.exec(`INSERT INTO main.${table} SELECT * FROM source.${table}`);
};

/** By the number of the row: the chunks stay in their order. */
const copyChunks: CopyTable = async (db, table, signal) => {
  const last = db.prepare('SELECT max(id) AS last FROM source.chunk');
  const copy = db.prepare(`INSERT INTO main.${table} SELECT * FROM source.chunk WHERE id > ? AND id <= ? AND stays(series)`);
  for (let at = 0; at < Number(last.get()?.['last'] ?? 0); at += ROWS) {
    copy.run(at, at + ROWS);
    await breathe(signal);
  }
};

const copyMarks: CopyTable = async (db, table, signal) => {
  const last = Number(db.prepare('SELECT max(series) AS last FROM source.mark').get()?.['last'] ?? 0);
  const copy = db.prepare(
    `INSERT INTO main.${table} SELECT * FROM source.mark WHERE series > ? AND series <= ? AND stays(series)`,
  );
  for (let at = -1; at < last; at += ROWS) {
    copy.run(at, at + ROWS);
    await breathe(signal);
  }
};

const copyRollups: CopyTable = async (db, table, signal) => {
  const end = db.prepare(
    `SELECT period, series FROM source.rollup WHERE (period, series) > (?, ?) ORDER BY period, series LIMIT 1 OFFSET ${ROWS}`,
  );
  const copy = db.prepare(
    `INSERT INTO main.${table} SELECT * FROM source.rollup WHERE (period, series) > (?, ?) AND (period, series) <= (?, ?) AND stays(series)`,
  );
  let [period, series] = [-1e9, -1];
  for (;;) {
    const row = end.get(period, series);
    const [toPeriod, toSeries] = row === undefined ? [1e9, 0] : [Number(row['period']), Number(row['series'])];
    copy.run(period, series, toPeriod, toSeries);
    if (row === undefined) return;
    [period, series] = [toPeriod, toSeries];
    await breathe(signal);
  }
};

const PAGED: ReadonlyMap<string, CopyTable> = new Map([
  ['chunk', copyChunks],
  ['mark', copyMarks],
  ['rollup', copyRollups],
]);

async function breathe(signal: AbortSignal): Promise<void> {
  await nextTurn();
  signal.throwIfAborted();
}
