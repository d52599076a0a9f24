/**
 * What others read of the archive: the manifest says what counts, never the listing of a bucket.
 *
 * Rows of an object: device VARCHAR, metric VARCHAR, time TIMESTAMP (UTC, µs), value DOUBLE, text VARCHAR, flag BOOLEAN;
 * sorted by these first three, one of the last three is not NULL. Within all current objects a (device, metric, time) is once.
 */

/** A Parquet file of points of one UTC day and one type of devices, whole or in part (by hours, or by ranges of devices). */
export interface ArchivedObject {
  /** Grows with each object that is made. */
  readonly id: number;
  /** `device_type=meter/year=2026/month=11/day=22/07-00012.parquet` */
  readonly key: string;
  /** Undefined: devices without a type, or not known to the registry. */
  readonly deviceType: string | undefined;
  /** Days since 1970-01-01 UTC. */
  readonly day: number;
  /** Undefined: hours of the day joined in one. */
  readonly hour: number | undefined;
  readonly sizeBytes: number;
  /** Of its bytes, as hex. */
  readonly sha256: string;
  readonly rows: number;
  /** Times of the first and the last point, both inclusive, ms. */
  readonly firstMs: number;
  readonly lastMs: number;
  /** The first and the last device in it, both inclusive, by code units: objects of large days are split by device. */
  readonly firstDevice: string;
  readonly lastDevice: string;
  /** When it was stored, ms. */
  readonly storedMs: number;
  /** Devices whose rows in it are erased: leave them out. The object is about to be rewritten without them. */
  readonly hidden: readonly string[];
}

/** What the archive holds of one UTC hour. */
export interface ArchivedHour {
  readonly day: number;
  /** 0 to 23 */
  readonly hour: number;
  /**
   * Of the day file it was made of last (`readDayState`, which takes a file that retention thinned out as the one it was). The objects hold every point of this hour where there is no such day file any
   * more, or where the file has this generation and `hour.version` is this version. Otherwise the day file has newer
   * points: read both, and where a (device, metric, time) is in both the day file wins.
   */
  readonly generation: number;
  readonly version: number;
}

export interface ArchivedRange {
  readonly hours: readonly ArchivedHour[];
  /** Ordered by day, hour and first device. An object of a whole day may reach beyond the range asked for. */
  readonly objects: readonly ArchivedObject[];
}

/** A local copy that stays until it is disposed of. */
export interface LocalObject extends Disposable {
  readonly path: string;
}

export interface ArchiveIndex {
  /** False where nothing was ever archived: nothing else needs to be asked. */
  readonly inUse: boolean;
  /**
   * Hours and objects that overlap [fromMs, toMs), of one state of the manifest: read before the day files.
   * Rows of the erased are hidden at once.
   */
  range(query: {
    readonly fromMs: number;
    readonly toMs: number;
    /** Types of devices; undefined in the list: those without a type. Absent: all. */
    readonly deviceTypes?: readonly (string | undefined)[];
    /** Only objects that may hold one of these. */
    readonly devices?: readonly string[];
  }): ArchivedRange;
  /**
   * A path of this machine under which the object can be read: the object itself where the archive is a directory, else a
   * copy in a bounded cache, fetched when it is not there. Held until disposed of.
   *
   * @throws SelsynError `archive.object-gone` when it was replaced since `range` was asked: ask again;
   * `archive.cache-full` when what is held at the same time leaves no room; `blobs.*`
   */
  local(object: ArchivedObject, signal?: AbortSignal): Promise<LocalObject>;
}
