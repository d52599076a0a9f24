import type { Clock } from '../kernel/clock.ts';
import { isSelsynError, SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { FlushAnswer } from '../telemetry/upkeep-calls.ts';
import type { Archiver } from './archiver.ts';
import type { ArchiveState, ArchiveStatus } from './archive-status.ts';
import type { Erasure, ErasureRequest } from './erasure.ts';
import type { Erasures, StoreEraser } from './erasures.ts';
import type { Manifest } from './manifest.ts';
import type { BadObject } from './object-faults.ts';
import { objectOf } from './object-rows.ts';
import { Turns } from './turns.ts';

const PASS_MS = 60_000;
/** While erasures wait for the store. */
const ERASING_MS = 1_000;
const RETRY_MS = 10_000;
const MAX_RETRY_MS = 600_000;
/** Whoever gives an object up waits so long at most: for what is being archived, and for its bytes. */
export const GIVE_UP_MS = 45_000;

export interface ArchiveServiceParts {
  readonly manifest: Manifest;
  readonly erasures: Erasures;
  readonly store: Pick<StoreEraser, 'forget'> & { flush(): Promise<FlushAnswer> };
  /** Undefined: nothing is archived. Erasures go on. */
  readonly archiver: Archiver | undefined;
  readonly target: ArchiveStatus['target'];
  readonly place: string | undefined;
  readonly clock: Clock;
  readonly logLines: LogLines;
}

/** Lets the archiver run from time to time, tries again what failed, and answers what others ask. */
export class ArchiveService implements AsyncDisposable {
  readonly #parts: ArchiveServiceParts;
  readonly #turns = new Turns();
  readonly #stopping = new AbortController();
  #cancel: (() => void) | undefined;
  #working = false;
  #again = false;
  #atOnce = false;
  #failed = 0;
  #nextAllMs = -Infinity;
  #lastError: ArchiveStatus['lastError'];
  #lastStoredAtMs: number | undefined;
  failures = 0;

  constructor(parts: ArchiveServiceParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#wake(0);
  }

  /**
   * Archives what is over now, without waiting for more points of it, and what is only in memory too. Resolves before that is done.
   *
   * @returns what of the memory it does not have
   * @throws SelsynError `archive.off`, and what the processor throws
   */
  async archiveNow(): Promise<FlushAnswer> {
    const { archiver, store } = this.#parts;
    if (archiver === undefined) throw new SelsynError('archive.off', 'no archive is configured');
    try {
      return await store.flush();
    } finally {
      this.#beginAtOnce();
    }
  }

  #beginAtOnce(): void {
    this.#atOnce = true;
    this.#failed = 0;
    this.#wake(0);
  }

  /**
   * Takes over objects in the store that the manifest does not know. Resolves once that is on disk as wanted, before it is done: it goes
   * on after a restart.
   *
   * @throws SelsynError `archive.off`
   */
  rebuild(): void {
    const { archiver, manifest } = this.#parts;
    if (archiver === undefined) throw new SelsynError('archive.off', 'no archive is configured');
    manifest.beginRebuild();
    // That is being seen to: where something is left, the next pass says so again.
    if (this.#lastError?.code === 'archive.unknown-objects') this.#lastError = undefined;
    this.#failed = 0;
    this.#wake(0);
  }

  /** Resolves once nobody can read a point of the device any more. */
  async beginErasure(request: ErasureRequest): Promise<Erasure> {
    const erasure = await this.#parts.erasures.begin(request);
    this.#wake(0);
    return erasure;
  }

  /** For a device that is removed: an erasure, where the archive may have points of it; else only the store forgets it. */
  async forgetRemoved(device: string, requestedBy: string): Promise<void> {
    if (!this.#mayHaveArchived(device)) await this.#parts.store.forget(device);
    // Asked again: what was read before it was forgotten may have been archived meanwhile.
    if (this.#mayHaveArchived(device)) await this.beginErasure({ device, reason: 'removed', requestedBy });
  }

  /** See ArchiveGate. */
  async isArchived(file: { readonly day: number; readonly generation: number; readonly version: number }): Promise<boolean> {
    const { archiver } = this.#parts;
    if (archiver === undefined) return true;
    const state = archiver.isArchived(file.day);
    if (state !== undefined) return state.fileGeneration === file.generation && state.version === file.version;
    archiver.want(file.day);
    this.#wake(0);
    return false;
  }

  /** See ArchiveExpiry. */
  objects(): ReturnType<typeof objectOf>[] {
    return this.#parts.manifest.all("SELECT * FROM object WHERE state = 'current' ORDER BY day, id").map(objectOf);
  }

  /** See ArchiveExpiry. */
  async remove(ids: readonly number[]): Promise<void> {
    const { manifest, archiver, clock } = this.#parts;
    await this.#turns.take(async () => {
      const wanted = new Set(ids);
      const days = new Set(
        this.objects()
          .filter(({ id }) => wanted.has(id))
          .map(({ day }) => day),
      );
      manifest.commit({ planned: [], replaced: ids, day: 0, hours: [], nowMs: clock.now() });
      // Where the archive is not the one that was expected its objects are others under the same keys.
      if (archiver?.isPlaced === true) await archiver.publisher.settle(this.#stopping.signal);
      for (const day of days) manifest.forgetHours(day);
    });
  }

  /** Objects that cannot be used, by id. */
  badObjects(query: { readonly after: number; readonly limit: number }): readonly BadObject[] {
    return this.#parts.archiver?.faults.list(query) ?? [];
  }

  /**
   * Takes an object that is damaged or gone out of the archive, for ever: it keeps nothing from its end any more. What the store still
   * has of its hours is archived again.
   *
   * @param requireFree legal holds
   * @throws SelsynError `archive.object-not-found`; `archive.object-sound` where it is what was archived; `hold.active`; `blobs.*`;
   *   `thread.timeout` after GIVE_UP_MS: it is not given up, nor later
   */
  async giveUp(id: number, requireFree: (object: BadObject['object']) => Promise<void>): Promise<BadObject> {
    const { archiver, clock } = this.#parts;
    if (archiver === undefined) throw new SelsynError('archive.off', 'no archive is configured');
    const deadline = new AbortController();
    const late = new SelsynError('thread.timeout', 'the archive is at work: it was not given up', { retryable: true });
    const cancel = clock.after(GIVE_UP_MS, () => deadline.abort(late));
    const signal = AbortSignal.any([this.#stopping.signal, deadline.signal]);
    try {
      return await this.#turns.take(async () => {
        signal.throwIfAborted();
        const bad = archiver.faults.find(id);
        if (bad === undefined) throw noBadObject(id);
        await requireFree(bad.object);
        signal.throwIfAborted();
        await archiver.giveUp(bad.object, signal);
        return bad;
      });
    } finally {
      cancel();
      this.#wake(0);
    }
  }

  status(): ArchiveStatus {
    const { manifest, erasures, archiver, target, place, clock } = this.#parts;
    const totals = manifest.totals();
    const backlog = archiver?.backlog ?? { hours: 0, oldestEndMs: undefined };
    return {
      state: this.#state(),
      target,
      place,
      objects: totals.objects,
      bytes: totals.bytes,
      points: totals.rows,
      backlogHours: backlog.hours,
      lagMs: backlog.oldestEndMs === undefined ? 0 : Math.max(0, clock.now() - backlog.oldestEndMs),
      openErasures: erasures.waiting,
      rebuild: archiver?.rebuilder.report,
      badObjects: archiver?.faults.count ?? 0,
      lastStoredAtMs: this.#lastStoredAtMs,
      failures: this.failures,
      lastError: this.#lastError,
    };
  }

  /** Resolves once nothing is under way. */
  async idle(): Promise<void> {
    await this.#turns.idle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel?.();
    this.#stopping.abort(new SelsynError('thread.gone', 'the archive is being closed'));
    await this.#turns.idle();
  }

  #state(): ArchiveState {
    if (this.#parts.archiver === undefined) return 'off';
    if (this.#lastError?.code === 'archive.misplaced') return 'misplaced';
    if (this.#parts.manifest.isRebuilding) return 'rebuilding';
    if (this.#lastError?.code === 'archive.unknown-objects') return 'unknown-objects';
    if (this.#lastError !== undefined) return 'failing';
    return this.#working ? 'working' : 'idle';
  }

  #mayHaveArchived(device: string): boolean {
    const { manifest, archiver } = this.#parts;
    // There may be objects that the manifest does not know.
    if (archiver !== undefined && !archiver.isPlaced) return true;
    return this.#working || manifest.objectsWith(device, manifest.lastId(), 0, 1).length > 0;
  }

  /** What failed keeps its pause. */
  #wake(delayMs: number): void {
    if (this.#stopping.signal.aborted) return;
    this.#again = true;
    if (this.#working || (this.#failed > 0 && delayMs === 0)) return;
    this.#again = delayMs === 0;
    this.#cancel?.();
    this.#cancel = this.#parts.clock.after(delayMs, () => {
      this.#cancel = undefined;
      void this.#turns.take(async () => await this.#work());
    });
  }

  async #work(): Promise<void> {
    const { archiver, erasures, clock, logLines } = this.#parts;
    const { signal } = this.#stopping;
    if (signal.aborted || this.#working) return;
    this.#working = true;
    const atOnce = this.#atOnce;
    const all = atOnce || this.#again || this.#failed > 0 || clock.monotonicMs() >= this.#nextAllMs;
    this.#again = false;
    this.#atOnce = false;
    const stored = archiver?.publisher.uploadedObjects;
    try {
      if (archiver === undefined) await erasures.advance(undefined, signal);
      else if (!all) await archiver.erase(signal);
      else {
        await archiver.pass(signal, {
          atOnce,
          onFault: (day, error) => {
            logLines.error(
              { day: new Date(day * 86_400_000).toISOString().slice(0, 10), err: error },
              'A day could not be archived; it is tried again',
            );
            this.#note(error);
          },
        });
        this.#nextAllMs = Math.min(clock.monotonicMs() + PASS_MS, archiver.retries.nextMs);
      }
      this.#failed = 0;
      if (archiver === undefined || archiver.retries.count === 0) this.#lastError = undefined;
    } catch (error) {
      if (signal.aborted) return;
      this.#failed++;
      this.#atOnce ||= atOnce;
      this.#note(error);
      logLines.error({ err: error, tries: this.#failed }, 'The archive could not be brought up to date; it is tried again');
    } finally {
      this.#working = false;
    }
    if (archiver !== undefined && archiver.publisher.uploadedObjects !== stored) this.#lastStoredAtMs = clock.now();
    this.#wake(this.#pauseMs());
  }

  #pauseMs(): number {
    if (this.#failed > 0) return Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** Math.min(10, this.#failed - 1));
    if (this.#again) return 0;
    const { archiver, erasures, clock } = this.#parts;
    if (erasures.waitForStore) return ERASING_MS;
    return archiver === undefined ? PASS_MS : Math.max(0, Math.min(PASS_MS, this.#nextAllMs - clock.monotonicMs()));
  }

  #note(error: unknown): void {
    this.failures++;
    this.#lastError = {
      code: isSelsynError(error) ? error.code : 'internal',
      message: error instanceof Error ? error.message : String(error),
      atMs: this.#parts.clock.now(),
    };
  }
}

function noBadObject(id: number): SelsynError {
  return new SelsynError('archive.object-not-found', `no archived object ${id} is known as one that cannot be used`, {
    details: { id },
  });
}
