import type { Batch } from './batch.ts';

/** Something has happened to a device in the registry. */
export interface RegistryChange {
  /** Grows by each change. */
  readonly sequence: number;
  readonly device: string;
  /** `put`: it was added or changed (its type, its group, its attributes, ...); what it is now is to be read there. */
  readonly kind: 'put' | 'removed';
  readonly atMs: number;
}

/** A group was moved with all below it, or removed. */
export interface GroupChange {
  readonly from: string;
  /** Undefined: it is no more. */
  readonly to: string | undefined;
}

/** Follows the registry. */
export interface RegistryFollower {
  /**
   * Changes in their order, of each device the last one, and before it that it was removed where it was meanwhile. They are followed at least once, within a batch that also keeps how far:
   * what is derived from them is there exactly once. Of a removed device everything goes that was made before `atMs`.
   */
  registryChanged(changes: readonly RegistryChange[], batch: Batch): Promise<void>;
  /** What was given to the group goes where it goes. In its place among the changes of devices. */
  groupChanged?(change: GroupChange, batch: Batch): Promise<void>;
}
