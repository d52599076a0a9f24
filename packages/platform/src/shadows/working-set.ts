import type { Batch } from '../state/batch.ts';
import { ShadowCache, type KnownShadow } from './shadow-cache.ts';
import type { ShadowDocument } from './shadow-document.ts';
import { decodeDocument, encodeDocument } from './shadow-row.ts';
import type { HistoryRow, ShadowRow, ShadowRows } from './shadow-rows.ts';
import type { DocumentTexts } from './shadow-texts.ts';

const NEVER_WAS: KnownShadow = { id: 0, version: 0, historyId: 0, document: undefined, texts: undefined, sizeBytes: 0 };

/** The last ids that were given, once they are known. */
interface LastIds {
  shadow: number;
  history: number;
}

/** What becomes of a shadow. */
export interface NextShadow {
  readonly version: number;
  readonly document: ShadowDocument | undefined;
  readonly texts: DocumentTexts | undefined;
}

/**
 * The shadows of the works of a batch: read with few statements, changed in memory, written with few statements.
 *
 * Invariants: what is in the cache is what the transaction under way sees; where that is undone, what it changed is forgotten, and so
 * are the ids that it gave.
 */
export class WorkingSet {
  readonly #rows: ShadowRows;
  readonly #cache: ShadowCache;
  readonly #shadows = new Map<string, KnownShadow>();
  readonly #changed = new Map<string, { readonly createdAtMs: number; readonly deletedAtMs: number | null }>();
  #history: HistoryRow[] = [];
  #ids: LastIds | undefined;
  /** The batch whose end this waits for, which may `apply` several times. */
  #batch: Batch | undefined;
  /** What was changed in it. */
  #touched = new Set<string>();

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
      const cached = this.#cache.get(path);
      this.#shadows.set(path, cached ?? NEVER_WAS);
      if (cached === undefined) missing.push(path);
    }
    if (missing.length === 0) return;
    for (const row of await this.#rows.find(batch.transaction, missing)) this.#shadows.set(row.path, knownOf(row));
  }

  get(path: string): KnownShadow {
    return this.#shadows.get(path) ?? NEVER_WAS;
  }

  /** Keeps texts that were made. */
  keep(path: string, known: KnownShadow): void {
    this.#shadows.set(path, known);
  }

  /** @param change of the history; '' of a deletion. */
  change(path: string, next: NextShadow, nowMs: number, author: string, change: string): KnownShadow {
    const ids = this.#ids as LastIds;
    const before = this.get(path);
    const id = before.id === 0 ? ++ids.shadow : before.id;
    const historyId = ++ids.history;
    this.#history.push({
      id: historyId,
      shadowId: id,
      previous: before.historyId,
      version: next.version,
      atMs: nowMs,
      author,
      change,
    });
    const known: KnownShadow = { id, historyId, ...next, sizeBytes: 0 };
    this.#shadows.set(path, known);
    const { document } = next;
    this.#changed.set(path, {
      createdAtMs: document?.createdAtMs ?? nowMs,
      deletedAtMs: document === undefined ? nowMs : null,
    });
    return known;
  }

  /** Writes what was changed, and is empty then. */
  async flush(batch: Batch): Promise<void> {
    const rows: ShadowRow[] = [];
    for (const [path, { createdAtMs, deletedAtMs }] of this.#changed) {
      const known = this.get(path);
      const { document, texts } = known;
      const text = document === undefined || texts === undefined ? '' : encodeDocument(document, texts);
      rows.push({
        id: known.id,
        path,
        version: known.version,
        history_id: known.historyId,
        created_at_ms: createdAtMs,
        updated_at_ms: document?.updatedAtMs ?? batch.nowMs,
        deleted_at_ms: deletedAtMs,
        document: text,
      });
      this.#touched.add(path);
      this.#shadows.set(path, { ...known, sizeBytes: text.length });
    }
    const history = this.#history;
    this.#history = [];
    this.#changed.clear();
    for (const [path, known] of this.#shadows) if (known !== NEVER_WAS) this.#cache.set(path, known);
    this.#shadows.clear();
    if (rows.length > 0) await this.#rows.put(batch.transaction, rows);
    if (history.length > 0) await this.#rows.addHistory(batch.transaction, history);
  }

  /** What was taken away by other statements of the batch. */
  forget(paths: Iterable<string>, batch: Batch): void {
    this.#begin(batch);
    for (const path of paths) {
      this.#shadows.delete(path);
      this.#cache.forget(path);
    }
  }

  /** Makes sure that ids can be given. */
  async prepareIds(batch: Batch): Promise<void> {
    this.#begin(batch);
    this.#ids ??= { ...(await this.#rows.lastIds(batch.transaction)) };
  }

  #begin(batch: Batch): void {
    if (this.#batch === batch) return;
    this.#batch = batch;
    this.#shadows.clear();
    this.#changed.clear();
    this.#history = [];
    const touched = new Set<string>();
    this.#touched = touched;
    batch.onRollback(() => {
      for (const path of touched) this.#cache.forget(path);
      this.#shadows.clear();
      this.#changed.clear();
      this.#history = [];
      this.#ids = undefined;
      this.#batch = undefined;
    });
  }
}

function knownOf(row: ShadowRow): KnownShadow {
  const version = Number(row.version);
  const document = decodeDocument(row);
  return {
    id: Number(row.id),
    version,
    historyId: Number(row.history_id),
    document,
    texts: undefined,
    sizeBytes: row.document.length,
  };
}
