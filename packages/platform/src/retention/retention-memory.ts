import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { ClockMemory } from './clock-trust.ts';
import type { Level } from './retention-policy.ts';

/** Something that was let go. */
export interface LetGo {
  readonly atMs: number;
  readonly level: Level;
  readonly file: string;
  /** UTC dates, both inclusive. */
  readonly from: string;
  readonly to: string;
  readonly action: 'drop' | 'trim';
  /** `age`: a policy; `space`: the floor of free space. */
  readonly because: 'age' | 'space';
  readonly freedBytes: number;
}

/** What is let go is remembered for so many files: years of it. */
const MAX_ROWS = 5_000;

/*
 * telemetry/retention.db: nothing of it is needed to be right, but for the time at which the clock was last believed.
 */
const DDL = `
CREATE TABLE clock (id INTEGER PRIMARY KEY CHECK (id = 1), seen_ms INTEGER NOT NULL);
INSERT INTO clock VALUES (1, 0);
CREATE TABLE let_go (id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, level TEXT NOT NULL, file TEXT NOT NULL,
  from_day TEXT NOT NULL, to_day TEXT NOT NULL, action TEXT NOT NULL, because TEXT NOT NULL, freed_bytes INTEGER NOT NULL);
PRAGMA user_version = 1;`;

/** What retention remembers between two starts. Its writes may fail on a full disk; what is let go must not wait for them. */
export class RetentionMemory implements ClockMemory, Disposable {
  readonly #telemetryDir: string;
  #db: DatabaseSync | undefined;
  #savedMs = 0;

  constructor(telemetryDir: string) {
    this.#telemetryDir = telemetryDir;
  }

  /** Throws what SQLite throws. */
  open(): void {
    mkdirSync(this.#telemetryDir, { recursive: true });
    this.#use(new DatabaseSync(join(this.#telemetryDir, 'retention.db')));
  }

  /** For this life of the process alone. */
  openInMemory(): void {
    this[Symbol.dispose]();
    this.#use(new DatabaseSync(':memory:'));
  }

  lastSeenMs(): number {
    return Number(this.#open().prepare('SELECT seen_ms FROM clock').get()?.['seen_ms'] ?? 0);
  }

  save(seenMs: number): void {
    // Within the hour it makes no difference to what is plausible.
    if (Math.abs(seenMs - this.#savedMs) < 600_000) return;
    this.#open().prepare('UPDATE clock SET seen_ms = ?').run(seenMs);
    this.#savedMs = seenMs;
  }

  note(one: LetGo): void {
    const db = this.#open();
    const { atMs, level, file, from, to, action, because, freedBytes } = one;
    db.prepare('INSERT INTO let_go VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)').run(
      atMs,
      level,
      file,
      from,
      to,
      action,
      because,
      freedBytes,
    );
    db.prepare('DELETE FROM let_go WHERE id <= (SELECT max(id) FROM let_go) - ?').run(MAX_ROWS);
  }

  /** Newest first. */
  letGo(limit: number): readonly LetGo[] {
    const rows = this.#open().prepare('SELECT * FROM let_go ORDER BY id DESC LIMIT ?').all(limit);
    return rows.map((row) => ({
      atMs: Number(row['at_ms']),
      level: row['level'] as Level, // `note` wrote it
      file: String(row['file']),
      from: String(row['from_day']),
      to: String(row['to_day']),
      action: row['action'] as LetGo['action'],
      because: row['because'] as LetGo['because'],
      freedBytes: Number(row['freed_bytes']),
    }));
  }

  [Symbol.dispose](): void {
    this.#db?.close();
    this.#db = undefined;
  }

  #use(db: DatabaseSync): void {
    this.#db = db;
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 1000');
    db.exec('PRAGMA journal_size_limit = 1048576');
    if (db.prepare('PRAGMA user_version').get()?.['user_version'] === 0) db.exec(`BEGIN; ${DDL} COMMIT;`);
    this.#savedMs = this.lastSeenMs();
  }

  #open(): DatabaseSync {
    if (this.#db === undefined) throw new Error('the memory of retention is not open');
    return this.#db;
  }
}
