/** Why the telemetry of a device is erased: somebody asked for that, or the device was removed. */
export type ErasureReason = 'requested' | 'removed';

/**
 * `begun`: asked for; nobody sees the archived points any more. `hidden`: nobody sees any point, and the bytes are being
 * removed. `done`: nothing is left, in the store or in the archive.
 */
export type ErasureState = 'begun' | 'hidden' | 'done';

/** The erasure of all telemetry of one device, and the proof of it. */
export interface Erasure {
  readonly id: string;
  readonly device: string;
  readonly reason: ErasureReason;
  readonly requestedBy: string;
  readonly state: ErasureState;
  readonly begunAtMs: number;
  /** Since when no point of it can be read. */
  readonly hiddenAtMs: number | undefined;
  /** Since when its chunks and rollups are deleted from the store. */
  readonly storeErasedAtMs: number | undefined;
  readonly doneAtMs: number | undefined;
  /** Objects of the archive that could have held points of it. */
  readonly objectsChecked: number;
  /** Those of them that were written anew without it, or removed. */
  readonly objectsRewritten: number;
  /** Points that the archive had of it. */
  readonly archivedPointsErased: number;
  /** Why the last try did not come to the end. */
  readonly lastError: string | undefined;
}

export interface ErasureRequest {
  readonly device: string;
  readonly reason: ErasureReason;
  readonly requestedBy: string;
}
