import type { Clock } from '../kernel/clock.ts';
import type { RandomBytes } from '../kernel/secret.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { SortableIds } from '../kernel/sortable-ids.ts';
import type { Erasure, ErasureRequest } from './erasure.ts';
import { ErasureRows, type OpenErasure } from './erasure-rows.ts';
import type { CurrentObject, Manifest } from './manifest.ts';
import { concerns, type ObjectEraser } from './object-eraser.ts';

/** An erasure names so many of the objects that it waits for. */
const NAMED_OBJECTS = 3;

/** What the telemetry store does for an erasure. */
export interface StoreEraser {
  /** Ids of the series of a device that are in the catalog. */
  seriesOf(device: string): readonly number[];
  /** Resolves once no point of the device can be read and none that the log still has will come back. */
  forget(device: string): Promise<void>;
  /** Which of the series have chunks or rollups still to be deleted. */
  waiting(series: readonly number[]): readonly number[];
}

/**
 * Erases telemetry of devices everywhere. Each erasure is on disk before anything is done, and goes on after a restart:
 *
 *   begun -> points in the store are forgotten -> hidden -> objects are rewritten, chunks deleted -> done
 */
export class Erasures {
  readonly rows: ErasureRows;
  readonly #manifest: Manifest;
  readonly #store: StoreEraser;
  readonly #clock: Clock;
  readonly #logLines: LogLines;
  readonly #ids: SortableIds;

  constructor(parts: {
    readonly manifest: Manifest;
    readonly store: StoreEraser;
    readonly clock: Clock;
    readonly random: RandomBytes;
    readonly logLines: LogLines;
  }) {
    this.#manifest = parts.manifest;
    this.rows = new ErasureRows(parts.manifest);
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#logLines = parts.logLines;
    this.#ids = new SortableIds(parts.random, this.rows.newestId());
  }

  /** Resolves once nobody can read a point of the device any more; the rest is done by `advance`. */
  async begin(request: ErasureRequest): Promise<Erasure> {
    const { device } = request;
    const id = this.#ids.next(this.#clock.now());
    this.rows.insert(id, request, this.#store.seriesOf(device), this.#clock.now());
    await this.#store.forget(device);
    this.rows.setHidden(id, this.#clock.now());
    return this.get(id);
  }

  /** @throws SelsynError `erasure.not-found` */
  get(id: string): Erasure {
    const found = this.rows.find(id);
    if (found === undefined) throw new SelsynError('erasure.not-found', `there is no erasure ${id}`, { details: { id } });
    return withoutPlan(found);
  }

  list(query: { readonly before?: string; readonly limit: number; readonly device?: string }): Erasure[] {
    return this.rows.list({ before: query.before, limit: query.limit, device: query.device }).map(withoutPlan);
  }

  get waiting(): number {
    return this.rows.open().length;
  }

  /** Some of them wait for the store, which is done with them soon: not for objects that cannot be used. */
  get waitForStore(): boolean {
    return this.rows.open().some(({ state, storeErasedAtMs }) => state === 'begun' || storeErasedAtMs === undefined);
  }

  /** Whether an open erasure may still have to take points out of an object: nothing may be made of it before. */
  concernObject(object: Pick<CurrentObject, 'id' | 'firstDevice' | 'lastDevice'>): boolean {
    return this.rows.open().some((erasure) => concerns(erasure, object));
  }

  /**
   * Brings all open erasures as far as they get; called while nothing else changes the archive.
   *
   * @param objects undefined: nothing was ever archived, or nothing of it can be reached
   */
  async advance(objects: ObjectEraser | undefined, signal: AbortSignal): Promise<void> {
    const open = this.rows.open();
    if (open.length === 0) return;
    try {
      for (const { id, device } of open.filter(({ state }) => state === 'begun')) {
        await this.#store.forget(device);
        this.rows.setHidden(id, this.#clock.now());
      }
      const upto = this.#manifest.lastId();
      for (const { id } of open) this.rows.setUpto(id, upto);
      const hidden = this.rows.open().filter(({ state, upto: known }) => state === 'hidden' && known !== undefined);
      const waiting = new Set(this.#store.waiting(hidden.flatMap(({ series }) => series)));
      for (const { id, series } of hidden) {
        if (!series.some((one) => waiting.has(one))) this.rows.setStoreErased(id, this.#clock.now());
      }
      const inArchive = hidden.filter(({ device, upto: last }) => this.#manifest.objectsWith(device, last ?? 0, 0, 1).length > 0);
      if (inArchive.length > 0 && objects === undefined) {
        throw new SelsynError('archive.off', 'the archive holds points of a device that is erased, and none is configured');
      }
      await objects?.erase(inArchive, signal);
      for (const erasure of hidden) this.#finish(erasure, objects?.inTheWay(erasure) ?? []);
    } catch (error) {
      for (const { id } of open) this.rows.setError(id, error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  #finish({ id, device }: OpenErasure, inTheWay: readonly CurrentObject[]): void {
    if (inTheWay.length > 0) {
      const keys = inTheWay.slice(0, NAMED_OBJECTS).map(({ key }) => key);
      const more = inTheWay.length > keys.length ? ` and ${inTheWay.length - keys.length} more` : '';
      this.rows.setError(id, `it waits for archived objects that cannot be used: ${keys.join(', ')}${more}`);
      return;
    }
    this.rows.setError(id, undefined);
    const erasure = this.rows.find(id);
    if (erasure?.storeErasedAtMs === undefined) return;
    this.rows.setDone(id, this.#clock.now());
    const { objectsChecked, objectsRewritten, archivedPointsErased } = erasure;
    this.#logLines.info(
      { erasure: id, device, objectsChecked, objectsRewritten, archivedPointsErased },
      'The telemetry of a device is erased',
    );
  }
}

function withoutPlan({ series: _series, upto: _upto, checked: _checked, ...erasure }: OpenErasure): Erasure {
  return erasure;
}
