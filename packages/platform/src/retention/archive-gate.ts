/**
 * What retention asks of the archive, where there is one: raw points may only go when they are archived.
 *
 * A day file that retention has thinned out (some series let go, others kept) has an `origin` in its `meta`, its generation
 * before: when an hour of it is archived again, because of late points, what the archive has is joined with it, not replaced.
 */
export interface ArchiveGate {
  /** Whether every hour of the day file, at this version, is in the archive: uploaded, verified, and in the manifest. */
  isArchived(file: { readonly day: number; readonly generation: number; readonly version: number }): Promise<boolean>;
}

/** Objects of the archive whose time is over. */
export interface ArchiveExpiry {
  /** Ascending by day. */
  objects(): readonly ExpirableObject[];
  /** Takes them out of the manifest first, and removes them then. */
  remove(ids: readonly number[]): Promise<void>;
}

export interface ExpirableObject {
  readonly id: number;
  readonly key: string;
  /** Days since 1970-01-01 UTC. */
  readonly day: number;
  readonly deviceType: string | undefined;
  /** The first and the last device in it, both inclusive, by code units. */
  readonly firstDevice: string;
  readonly lastDevice: string;
  readonly sizeBytes: number;
}
