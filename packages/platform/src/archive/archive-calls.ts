import type { FlushAnswer } from '../telemetry/upkeep-calls.ts';
import type { ArchiveStatus } from './archive-status.ts';
import type { Erasure, ErasureRequest } from './erasure.ts';
import type { BadObject } from './object-faults.ts';

/** What the upkeep thread answers of the archive and of erasures. */
// A type, not an interface: only that fits `Calls`, which has an index signature.
export type ArchiveCalls = {
  archiveStatus(query: null): ArchiveStatus;
  /** Resolves once what is in memory is in day files, as far as that goes. @throws SelsynError `archive.off` */
  archiveNow(query: null): Promise<FlushAnswer>;
  /** Resolves once it is on disk that it is wanted. @throws SelsynError `archive.off` */
  rebuildArchive(query: null): void;
  /** By id, after the one given. */
  badObjects(query: { readonly after: number; readonly limit: number }): readonly BadObject[];
  /** @throws SelsynError `archive.object-not-found`, `archive.object-sound`, `hold.active`, `archive.off`, `blobs.*` */
  giveUpObject(query: { readonly id: number }): Promise<BadObject>;
  /** Resolves once nobody can read a point of the device any more. @throws SelsynError `hold.active` */
  beginErasure(query: ErasureRequest): Promise<Erasure>;
  /** @throws SelsynError `erasure.not-found` */
  erasure(query: { readonly id: string }): Erasure;
  /** Newest first. */
  erasures(query: { readonly before?: string; readonly limit: number; readonly device?: string }): readonly Erasure[];
  /** Resolves once nobody can read a point of a removed device any more; what is archived of it is erased afterwards. */
  forgetRemoved(query: { readonly device: string; readonly requestedBy: string }): Promise<void>;
};
