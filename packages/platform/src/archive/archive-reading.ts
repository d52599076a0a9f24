import type { Caller } from '../kernel/thread-channel.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import type { TelemetryEraser } from '../telemetry/telemetry-queries.ts';
import type { FlushAnswer } from '../telemetry/upkeep-calls.ts';
import type { ArchiveCalls } from './archive-calls.ts';
import type { ArchivedObject } from './archive-index.ts';
import { GIVE_UP_MS } from './archive-service.ts';
import type { ArchiveStatus } from './archive-status.ts';
import type { Erasure } from './erasure.ts';
import type { ManifestIndex } from './manifest-index.ts';
import type { BadObject } from './object-faults.ts';

/** After this nothing is given up any more: it is known what came of it. */
const GIVE_UP_DEADLINE_MS = GIVE_UP_MS + 15_000;

/** The archive and erasures, for those who operate them. */
export interface ArchiveControl {
  status(): Promise<ArchiveStatus>;
  /** Archives what is over now, without waiting for more points. @returns what of the memory it does not have @throws SelsynError `archive.off` */
  archiveNow(): Promise<FlushAnswer>;
  /** Takes over objects that the manifest does not know. Resolves once it is begun. @throws SelsynError `archive.off` */
  rebuild(): Promise<void>;
  /** Objects that cannot be used, by id, after the one given. */
  badObjects(query: { readonly after: number; readonly limit: number }): Promise<readonly BadObject[]>;
  /** @throws SelsynError `archive.object-not-found`, `archive.object-sound`, `hold.active`, `archive.off`, `blobs.*` */
  giveUp(id: number): Promise<BadObject>;
  /** Current objects by id, after the one given. */
  objects(query: { readonly after: number; readonly limit: number }): readonly ArchivedObject[];
}

export interface ErasureControl {
  /** Resolves once nobody can read a point of the device any more. @throws SelsynError `hold.active` */
  begin(request: { readonly device: string; readonly requestedBy: string }): Promise<Erasure>;
  /** @throws SelsynError `erasure.not-found` */
  get(id: string): Promise<Erasure>;
  /** Newest first. */
  list(query: { readonly before?: string; readonly limit: number; readonly device?: string }): Promise<readonly Erasure[]>;
}

/** What main answers of the archive: the manifest it reads itself, the rest the upkeep thread says. */
export class ArchiveReading implements ArchiveControl, ErasureControl, TelemetryEraser {
  readonly #upkeep: Caller<ArchiveCalls>;
  readonly #index: ManifestIndex;
  readonly #requireFree: (devices: readonly string[]) => Promise<void>;

  constructor(parts: {
    readonly upkeep: Caller<ArchiveCalls>;
    readonly index: ManifestIndex;
    /** Legal holds. */
    readonly requireFree: (devices: readonly string[]) => Promise<void>;
  }) {
    this.#upkeep = parts.upkeep;
    this.#index = parts.index;
    this.#requireFree = parts.requireFree;
  }

  async status(): Promise<ArchiveStatus> {
    return await this.#upkeep.call('archiveStatus', null);
  }

  async archiveNow(): Promise<FlushAnswer> {
    return await this.#upkeep.call('archiveNow', null);
  }

  async rebuild(): Promise<void> {
    await this.#upkeep.call('rebuildArchive', null);
  }

  async badObjects(query: { readonly after: number; readonly limit: number }): Promise<readonly BadObject[]> {
    return await this.#upkeep.call('badObjects', query);
  }

  async giveUp(id: number): Promise<BadObject> {
    return await this.#upkeep.call('giveUpObject', { id }, GIVE_UP_DEADLINE_MS);
  }

  objects(query: { readonly after: number; readonly limit: number }): readonly ArchivedObject[] {
    return this.#index.page(query);
  }

  async begin(request: { readonly device: string; readonly requestedBy: string }): Promise<Erasure> {
    await this.#requireFree([request.device]);
    return await this.#upkeep.call('beginErasure', { ...request, reason: 'requested' });
  }

  async get(id: string): Promise<Erasure> {
    return await this.#upkeep.call('erasure', { id });
  }

  async list(query: { readonly before?: string; readonly limit: number; readonly device?: string }): Promise<readonly Erasure[]> {
    return await this.#upkeep.call('erasures', query);
  }

  /** For a device that is removed. */
  async forget(device: DeviceId): Promise<void> {
    await this.#requireFree([device]);
    await this.#upkeep.call('forgetRemoved', { device, requestedBy: 'removal of the device' });
  }
}
