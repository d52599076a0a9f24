import { sha256OfFile } from '../blobs/file-digest.ts';
import type { Clock } from '../kernel/clock.ts';
import { isSelsynError, SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { LocalObject } from './archive-index.ts';
import type { LocalObjects } from './local-objects.ts';
import type { CurrentObject, Manifest } from './manifest.ts';
import { objectOf } from './object-rows.ts';

const FIRST_RETRY_MS = 60_000;
const MAX_RETRY_MS = 6 * 3_600_000;

/** An object that cannot be used: it is left as it is, and everything else goes on without it. */
export interface BadObject {
  readonly object: CurrentObject;
  /** `data.corrupt`: it is not what was archived. `archive.object-gone`: it is not there. Else: what failed with it. */
  readonly code: string;
  readonly message: string;
  readonly sinceMs: number;
  readonly triedMs: number;
  readonly tries: number;
  /** Wall time from which on it is looked at again. */
  readonly nextTryMs: number;
}

/** Of the place where objects are, or of the whole: no object is to blame. */
const OF_ALL = ['blobs.unavailable', 'blobs.refused', 'blobs.full'] as const;

/** True where nothing else could be done with other objects either. */
export function isOfAll(error: unknown): boolean {
  return isSelsynError(error, ...OF_ALL);
}

/**
 * Objects that cannot be used. Whoever rewrites objects takes them from here: what it takes is what was archived, bit for bit, so
 * that no damage gets into an object that is taken for right again.
 */
export class ObjectFaults {
  readonly #manifest: Manifest;
  readonly #local: LocalObjects;
  readonly #clock: Clock;
  readonly #logLines: LogLines;
  /** How often one has failed, also where it was right in between. */
  readonly #tries = new Map<number, number>();

  constructor(parts: {
    readonly manifest: Manifest;
    readonly local: LocalObjects;
    readonly clock: Clock;
    readonly logLines: LogLines;
  }) {
    this.#manifest = parts.manifest;
    this.#local = parts.local;
    this.#clock = parts.clock;
    this.#logLines = parts.logLines;
  }

  /**
   * A local copy, compared with what was archived.
   *
   * @throws SelsynError `archive.object-bad`: it is noted; `blobs.*`, and the reason of the signal
   */
  async hold(object: CurrentObject, signal: AbortSignal): Promise<LocalObject> {
    try {
      return await this.holdRight(object, signal);
    } catch (error) {
      if (signal.aborted || isOfAll(error)) throw error;
      throw this.note(object, error);
    }
  }

  /** As `hold`, and notes nothing. @throws SelsynError `data.corrupt`, `archive.object-gone`, `archive.cache-full`, `blobs.*` */
  async holdRight(object: CurrentObject, signal: AbortSignal): Promise<LocalObject> {
    for (let again = false; ; again = true) {
      const copy = await this.#local.hold(object, signal);
      try {
        const sha256 = await sha256OfFile(copy.path, signal);
        if (sha256 === object.sha256) return copy;
        // The copy may be to blame: another one is fetched.
        if (again || !(await this.#local.dropCopy(object.id))) throw corrupt(object, sha256);
      } catch (error) {
        copy[Symbol.dispose]();
        throw error;
      }
      copy[Symbol.dispose]();
    }
  }

  /** Something failed with an object. @returns what to throw */
  note(object: CurrentObject, error: unknown): SelsynError {
    const { id, key } = object;
    const nowMs = this.#clock.now();
    const tries = (this.#tries.get(id) ?? this.#triesOf(id)) + 1;
    this.#tries.set(id, tries);
    const code = isSelsynError(error) ? error.code : 'internal';
    const message = error instanceof Error ? error.message : String(error);
    this.#manifest.run(
      `INSERT INTO bad_object VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE SET
         code = excluded.code, message = excluded.message, tried_ms = excluded.tried_ms, tries = excluded.tries, next_ms = excluded.next_ms`,
      id,
      code,
      message,
      nowMs,
      tries,
      nowMs + retryMs(tries),
    );
    this.#logLines.error(
      { object: id, key, tries, err: error },
      'An archived object cannot be used: it is left as it is, and looked at again later',
    );
    const cause = { cause: error, details: { id, key } };
    return new SelsynError('archive.object-bad', `the archived object ${key} cannot be used: ${message}`, cause);
  }

  /** It is right. */
  clear({ id, key }: CurrentObject): void {
    this.#tries.delete(id);
    if (Number(this.#manifest.run('DELETE FROM bad_object WHERE id = ?', id).changes) === 0) return;
    this.#logLines.info({ object: id, key }, 'An archived object can be used again');
  }

  get count(): number {
    return Number(this.#manifest.all('SELECT count(*) AS count FROM bad_object')[0]?.['count'] ?? 0);
  }

  /** Whether points of a day are archived in nothing but an object that is damaged or gone. */
  isLost(day: number): boolean {
    return this.#select("day = ? AND code IN ('data.corrupt', 'archive.object-gone')", day).length > 0;
  }

  /** Ids of all of them. */
  get ids(): ReadonlySet<number> {
    return new Set(this.#manifest.all('SELECT id FROM bad_object').map((row) => Number(row['id'])));
  }

  all(): CurrentObject[] {
    return this.#select('true ORDER BY id').map(({ object }) => object);
  }

  /** By id. */
  list(query: { readonly after: number; readonly limit: number }): BadObject[] {
    return this.#select('id > ? ORDER BY id LIMIT ?', query.after, query.limit);
  }

  find(id: number): BadObject | undefined {
    return this.#select('id = ?', id)[0];
  }

  /** Those that it is time to look at again. */
  due(): CurrentObject[] {
    return this.#select('next_ms <= ? ORDER BY id', this.#clock.now()).map(({ object }) => object);
  }

  /** All of them are looked at again with the next pass: somebody has put them right, or wants to know. */
  retryNow(): void {
    this.#tries.clear();
    this.#manifest.run('UPDATE bad_object SET next_ms = 0, tries = 0');
  }

  /** Looks at those again that nobody else is about to use. @throws SelsynError `blobs.*` */
  async recheck(isOthers: (object: CurrentObject) => boolean, signal: AbortSignal): Promise<void> {
    for (const object of this.due()) {
      if (isOthers(object)) continue;
      try {
        using _copy = await this.hold(object, signal);
        this.clear(object);
      } catch (error) {
        if (!isSelsynError(error, 'archive.object-bad')) throw error;
      }
    }
  }

  #triesOf(id: number): number {
    return Number(this.#manifest.all('SELECT tries FROM bad_object WHERE id = ?', id)[0]?.['tries'] ?? 0);
  }

  #select(where: string, ...values: readonly number[]): BadObject[] {
    return this.#manifest
      .all(
        `SELECT object.*, code, message, since_ms, tried_ms, tries, next_ms FROM bad_object JOIN object USING (id)
         WHERE state = 'current' AND ${where}`,
        ...values,
      )
      .map((row) => ({
        object: objectOf(row),
        code: String(row['code']),
        message: String(row['message']),
        sinceMs: Number(row['since_ms']),
        triedMs: Number(row['tried_ms']),
        tries: Number(row['tries']),
        nextTryMs: Number(row['next_ms']),
      }));
  }
}

/** 1 minute, 4, 16, … 6 hours at most: an object may be large, and far away. */
function retryMs(tries: number): number {
  return Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 4 ** Math.min(10, tries - 1));
}

function corrupt({ key, sha256 }: CurrentObject, found: string): SelsynError {
  return new SelsynError('data.corrupt', `the object ${key} is not what was archived`, { details: { key, sha256, found } });
}
