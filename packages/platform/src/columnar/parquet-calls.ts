import type {
  DevicePoints,
  HoursRequest,
  MergeRequest,
  ParquetFacts,
  PointFilter,
  SeriesPoints,
  WrittenHours,
} from './parquet-files.ts';

/** What the Parquet process answers. Drafts, readings and hours are numbered by the caller. */
// A type, not an interface: only that fits `Calls`, which has an index signature.
export type ParquetCalls = {
  append(argument: { readonly draft: number; readonly path: string; readonly batch: readonly SeriesPoints[] }): Promise<void>;
  finish(argument: { readonly draft: number; readonly path: string }): Promise<ParquetFacts>;
  abandon(argument: { readonly draft: number }): Promise<void>;
  /** Types of devices for `writeHours` of the same number. */
  addTypes(argument: { readonly hours: number; readonly type: string; readonly devices: readonly string[] }): void;
  writeHours(argument: Omit<HoursRequest, 'types'> & { readonly number: number }): Promise<WrittenHours>;
  merge(argument: MergeRequest): Promise<ParquetFacts>;
  verify(argument: { readonly path: string }): Promise<ParquetFacts>;
  /** The next batch of a reading, which begins with the first; undefined at its end. */
  read(argument: {
    readonly reading: number;
    readonly path: string;
    readonly where: PointFilter;
  }): Promise<readonly SeriesPoints[] | undefined>;
  /** The same of the devices of files. */
  readDevices(argument: {
    readonly reading: number;
    readonly files: readonly string[];
    readonly where: PointFilter;
  }): Promise<readonly DevicePoints[] | undefined>;
  endReading(argument: { readonly reading: number }): void;
};
