import type { RollupLevel } from './rollups/rollup-file.ts';

/** Why the store keeps a file as it is. Whoever asked plans anew, or tries again later. */
export type KeptBecause =
  /** There is no such file (any more). */
  | 'gone'
  /** It is of another generation, or was written to since the version that was planned with. */
  | 'changed'
  /** Points of it are in memory only. */
  | 'hot-points'
  /** Hours of it are not in the rollups yet. */
  | 'stale-hours'
  /** A restart could read records of it from the log again: the low-water mark has not passed its marks. */
  | 'not-durable'
  /** The copy that was to replace it cannot be read, or is of another file. */
  | 'bad-copy';

export type DropAnswer =
  | { readonly done: true; readonly freedBytes: number }
  | { readonly done: false; readonly kept: KeptBecause };

/** Whether all that had come is in day files now. */
export type FlushAnswer =
  | { readonly done: true }
  | {
      readonly done: false;
      /**
       * `replaying`: the log of before the start is being read; `behind`: the log is read more slowly than it grows; `busy`: it took too
       * long; `failing`: it cannot be written.
       */
      readonly because: 'replaying' | 'behind' | 'busy' | 'failing';
      /** Records of the log that are not read (`replaying`, `behind`), or points in memory. */
      readonly waiting: number;
    };

export interface StoredDay {
  /** Days since 1970-01-01 UTC. */
  readonly day: number;
  readonly path: string;
  /** What dropping it would be answered now; undefined: it would be done. */
  readonly keptBecause: KeptBecause | undefined;
}

/** A file of rollups: of a week of hours, or of a year of days. */
export interface StoredRollups {
  readonly level: RollupLevel;
  /** The UTC days it is for: [fromDay, toDay). */
  readonly fromDay: number;
  readonly toDay: number;
  readonly path: string;
}

export interface StoreFiles {
  /** Ascending. */
  readonly days: readonly StoredDay[];
  /** Ascending by level and day. */
  readonly rollups: readonly StoredRollups[];
}

/** `meta.generation` and `meta.version` of a day file: what was planned with. */
export interface DayVersion {
  readonly day: number;
  readonly generation: number;
  readonly ifVersion: number;
}

/** Names a file of rollups. */
export interface RollupsOf {
  readonly level: RollupLevel;
  readonly fromDay: number;
}

export interface RollupKey {
  readonly period: number;
  readonly series: number;
  readonly generation: number;
}

/** Rows of rollups that one call deletes: some ms. */
export const ROLLUPS_AT_ONCE = 500;

/**
 * What the processor thread, the one writer of the files, answers the upkeep thread. Each is checked and done in one turn,
 * so nothing is stored in between; each is right after a kill at any of its steps (upkeep-store.ts).
 */
// A type, not an interface: only that fits `Calls`, which has an index signature.
export type UpkeepStoreCalls = {
  storeFiles(query: null): StoreFiles;
  /** Unlinks a day file. Readers that have it open read on; the space is back once they have closed it. */
  dropDay(query: DayVersion): DropAnswer;
  /** Puts a copy (retention/day-copy.ts) in the place of a day file. The copy is gone afterwards, whatever the answer. */
  replaceDay(query: DayVersion & { readonly path: string }): DropAnswer;
  dropRollups(query: RollupsOf & { readonly ifVersion: number }): DropAnswer;
  /**
   * Deletes rows, at most 500, durably. They are small and many, and their file is still written to at times: a transaction
   * costs the writer less than to find out that a copy of it has become outdated.
   *
   * @returns false where the file is gone
   */
  deleteRollups(query: RollupsOf & { readonly rows: readonly RollupKey[] }): boolean;
  /** Writes what has come up to now into day files; within 60 s, as far as that goes. */
  flush(query: null): Promise<FlushAnswer>;
  /** As HotCalls: done when the device's telemetry can no longer be read and never comes back. */
  forget(query: { readonly device: string }): void;
  /** Gives some of the room of deleted rows back to the volume. @returns true when there is more of it */
  shrinkRollups(query: RollupsOf): boolean;
};
