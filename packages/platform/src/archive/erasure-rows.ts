import type { Erasure, ErasureReason, ErasureRequest, ErasureState } from './erasure.ts';
import type { Manifest } from './manifest.ts';

/** An erasure that is not done, with what it still needs. */
export interface OpenErasure extends Erasure {
  /** Ids of series whose chunks are to be gone. */
  readonly series: readonly number[];
  /** Objects up to this id may hold points of it; undefined: not known yet, all may. */
  readonly upto: number | undefined;
  /** Of these, the ones up to this id were looked into, but for those that cannot be used now. */
  readonly checked: number;
}

const RUNNING_SUMS = `UPDATE erasure SET objects_checked = objects_checked + 1, objects_rewritten = objects_rewritten + ?,
  rows_erased = rows_erased + ? WHERE id = ?`;

/** The erasures, in the manifest: what hides points and what changes objects is one transaction. */
export class ErasureRows {
  readonly #manifest: Manifest;

  constructor(manifest: Manifest) {
    this.#manifest = manifest;
  }

  insert(id: string, request: ErasureRequest, series: readonly number[], nowMs: number): void {
    this.#manifest.run(
      `INSERT INTO erasure VALUES (?, ?, ?, ?, 'begun', ?, NULL, NULL, NULL, ?, NULL, 0, 0, 0, NULL, 0)`,
      id,
      request.device,
      request.reason,
      request.requestedBy,
      nowMs,
      JSON.stringify(series),
    );
  }

  find(id: string): OpenErasure | undefined {
    return this.#manifest.all('SELECT * FROM erasure WHERE id = ?', id).map(erasureOf)[0];
  }

  /** Not done, in the order in which they were asked for. */
  open(): OpenErasure[] {
    return this.#manifest.all("SELECT * FROM erasure WHERE state <> 'done' ORDER BY id").map(erasureOf);
  }

  /** Newest first. */
  list(query: {
    readonly before: string | undefined;
    readonly limit: number;
    readonly device: string | undefined;
  }): OpenErasure[] {
    const { before, device, limit } = query;
    return this.#manifest
      .all(
        'SELECT * FROM erasure WHERE (?1 IS NULL OR id < ?1) AND (?2 IS NULL OR device = ?2) ORDER BY id DESC LIMIT ?3',
        before ?? null,
        device ?? null,
        limit,
      )
      .map(erasureOf);
  }

  newestId(): string {
    return this.list({ before: undefined, device: undefined, limit: 1 })[0]?.id ?? '';
  }

  /** No raw point of it can be read any more. */
  setHidden(id: string, nowMs: number): void {
    this.#manifest.run("UPDATE erasure SET state = 'hidden', hidden_ms = ? WHERE id = ? AND state = 'begun'", nowMs, id);
  }

  /** Objects that are made from now on have nothing of what is erased. */
  setUpto(id: string, upto: number): void {
    this.#manifest.run('UPDATE erasure SET upto = ? WHERE id = ? AND upto IS NULL', upto, id);
  }

  /** An object was looked into; part of the transaction that takes it out, where that is done. */
  checked(id: string, rewritten: boolean, rows: number): void {
    this.#manifest.run(RUNNING_SUMS, rewritten ? 1 : 0, rows, id);
  }

  /** All objects up to one were looked into, but for those that cannot be used now. */
  setChecked(id: string, upto: number): void {
    this.#manifest.run('UPDATE erasure SET checked = max(checked, ?) WHERE id = ?', upto, id);
  }

  setStoreErased(id: string, nowMs: number): void {
    this.#manifest.run('UPDATE erasure SET raw_ms = ? WHERE id = ? AND raw_ms IS NULL', nowMs, id);
  }

  /** What it needed to go on is forgotten with it. */
  setDone(id: string, nowMs: number): void {
    this.#manifest.run(
      "UPDATE erasure SET state = 'done', done_ms = ?, series = '[]', last_error = NULL WHERE id = ?",
      nowMs,
      id,
    );
  }

  /** @param message undefined: it gets on */
  setError(id: string, message: string | undefined): void {
    this.#manifest.run('UPDATE erasure SET last_error = ?1 WHERE id = ?2 AND last_error IS NOT ?1', message ?? null, id);
  }
}

function erasureOf(row: Readonly<Record<string, unknown>>): OpenErasure {
  const timeOf = (name: string): number | undefined => (row[name] === null ? undefined : Number(row[name]));
  return {
    id: String(row['id']),
    device: String(row['device']),
    reason: row['reason'] as ErasureReason,
    requestedBy: String(row['requested_by']),
    state: row['state'] as ErasureState,
    begunAtMs: Number(row['begun_ms']),
    hiddenAtMs: timeOf('hidden_ms'),
    storeErasedAtMs: timeOf('raw_ms'),
    doneAtMs: timeOf('done_ms'),
    objectsChecked: Number(row['objects_checked']),
    objectsRewritten: Number(row['objects_rewritten']),
    archivedPointsErased: Number(row['rows_erased']),
    lastError: typeof row['last_error'] === 'string' ? row['last_error'] : undefined,
    series: JSON.parse(String(row['series'])) as number[],
    upto: timeOf('upto'),
    checked: Number(row['checked']),
  };
}
