import type { Batch } from '../state/batch.ts';
import { ShadowCache } from './shadow-cache.ts';
import type { ShadowDocument } from './shadow-document.ts';
import { decodeDocument, type RowTexts } from './shadow-row.ts';
import type { ShadowRow, ShadowRows } from './shadow-rows.ts';

/** A shadow as the works so far leave it. Never changed in place. */
export interface KnownShadow {
  /** Undefined: there never was one, as far as anybody remembers. */
  readonly row: ShadowRow | undefined;
  /** Undefined: it is not there. */
  readonly document: ShadowDocument | undefined;
}

/** What becomes of a shadow. */
export interface ShadowChange {
  readonly path: string;
  readonly version: number;
  /** Undefined: it is deleted. */
  readonly document: ShadowDocument | undefined;
  readonly texts: RowTexts | undefined;
  readonly author: string;
  /** For the history; '' of a deletion. */
  readonly written: string;
}

const NEVER_WAS: KnownShadow = { row: undefined, document: undefined };
const DELETED: RowTexts = { state: '', details: '' };

/**
 * The shadows of the works of a batch: read with few statements, changed in memory, written with few statements.
 *
 * Invariants: what is in the cache is what the transaction under way sees; where that is undone, what it changed is forgotten. Ids only
 * grow: those that were given in it are left out.
 */
export class WorkingSet {
  readonly #rows: ShadowRows;
  readonly #cache: ShadowCache;
  readonly #shadows = new Map<string, KnownShadow>();
  readonly #changed = new Set<string>();
  /** Parameters, see ShadowRows.addHistory. */
  #history: unknown[] = [];
  /** The last ids that were given, once they are known. */
  #ids: { shadow: number; history: number } | undefined;
  /** Whose end is waited for; it may `apply` several times. */
  #batch: Batch | undefined;

  constructor(rows: ShadowRows, cacheBytes: number) {
    this.#rows = rows;
    this.#cache = new ShadowCache(cacheBytes);
  }

  /** Makes sure that `get` knows all of these. */
  async load(paths: Iterable<string>, batch: Batch): Promise<void> {
    this.#begin(batch);
    const missing: string[] = [];
    for (const path of paths) {
      if (this.#shadows.has(path)) continue;
      const row = this.#cache.get(path);
      this.#shadows.set(path, row === undefined ? NEVER_WAS : knownOf(row));
      if (row === undefined) missing.push(path);
    }
    if (missing.length === 0) return;
    for (const row of await this.#rows.find(batch.transaction, missing)) this.#shadows.set(row.path, knownOf(row));
  }

  get(path: string): KnownShadow {
    return this.#shadows.get(path) ?? NEVER_WAS;
  }

  /** Makes sure that `change` can give ids. */
  async prepareIds(batch: Batch): Promise<void> {
    this.#begin(batch);
    this.#ids ??= { ...(await this.#rows.lastIds(batch.transaction)) };
  }

  change({ path, version, document, texts, author, written }: ShadowChange, nowMs: number): void {
    const ids = this.#ids;
    if (ids === undefined) throw new Error('a shadow is changed before ids can be given');
    const before = this.get(path).row;
    const id = before?.id ?? ++ids.shadow;
    const historyId = ++ids.history;
    this.#history.push(historyId, id, before?.history_id ?? 0, version, nowMs, author, written);
    const row: ShadowRow = {
      id,
      path,
      version,
      history_id: historyId,
      created_at_ms: document?.createdAtMs ?? before?.created_at_ms ?? nowMs,
      updated_at_ms: nowMs,
      deleted_at_ms: document === undefined ? nowMs : null,
      ...(texts ?? DELETED),
    };
    this.#shadows.set(path, { row, document });
    this.#changed.add(path);
  }

  /** Writes what was changed, and is empty then. */
  async flush(batch: Batch): Promise<void> {
    const rows: ShadowRow[] = [];
    for (const { row } of this.#shadows.values()) if (row !== undefined) this.#cache.set(row);
    for (const path of this.#changed) {
      const { row } = this.get(path);
      if (row !== undefined) rows.push(row);
    }
    const history = this.#history;
    this.#clear();
    if (rows.length === 0) return;
    batch.onRollback(() => {
      for (const row of rows) this.#cache.forget(row.path);
    });
    rows.sort((one, other) => one.id - other.id);
    await this.#rows.put(batch.transaction, rows);
    await this.#rows.addHistory(batch.transaction, history);
  }

  /** What was taken away by other statements of the batch. */
  forget(paths: Iterable<string>, batch: Batch): void {
    this.#begin(batch);
    for (const path of paths) {
      this.#shadows.delete(path);
      this.#cache.forget(path);
    }
  }

  #begin(batch: Batch): void {
    if (this.#batch === batch) return;
    this.#batch = batch;
    this.#clear();
    batch.onRollback(() => {
      this.#clear();
      this.#batch = undefined;
    });
  }

  #clear(): void {
    this.#shadows.clear();
    this.#changed.clear();
    this.#history = [];
  }
}

function knownOf(row: ShadowRow): KnownShadow {
  return { row, document: decodeDocument(row) };
}
