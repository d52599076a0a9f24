import type { ArchiveStatus } from './archive-status.ts';
import type { Erasure, ErasureRequest } from './erasure.ts';

/** What the upkeep thread answers of the archive and of erasures. */
// A type, not an interface: only that fits `Calls`, which has an index signature.
export type ArchiveCalls = {
  archiveStatus(query: null): ArchiveStatus;
  /** @throws SelsynError `archive.off` */
  archiveNow(query: null): void;
  /** Resolves once nobody can read a point of the device any more. @throws SelsynError `hold.active` */
  beginErasure(query: ErasureRequest): Promise<Erasure>;
  /** @throws SelsynError `erasure.not-found` */
  erasure(query: { readonly id: string }): Erasure;
  /** Newest first. */
  erasures(query: { readonly before?: string; readonly limit: number; readonly device?: string }): readonly Erasure[];
  /** Resolves once nobody can read a point of a removed device any more; what is archived of it is erased afterwards. */
  forgetRemoved(query: { readonly device: string; readonly requestedBy: string }): Promise<void>;
};
