import type { PointBatch } from './point-batch.ts';

/**
 * Topics of records that doors for points wrote (line protocol, remote write, import, POST): `$selsyn/points/{device}`. No client can
 * publish there, and what stands in such a record is always the platform's own JSON, whatever the device's type sends.
 */
export const POINT_TOPIC_PREFIX = '$selsyn/points/';

/** Takes points to the log. */
export interface PointIntake {
  /** Into how many parts a batch is sorted, so that the records of a device stay in one partition, in their order. */
  readonly lanes: number;
  laneOf(device: string): number;
  /**
   * Resolves once all records are durable. Records of one device keep their order, also those of an earlier batch that was waited for.
   *
   * @param batches at most one for each lane.
   * @throws SelsynError when some are not: `log.full`, `log.failed`, `telemetry.busy` (nothing was taken), `thread.timeout`. What was
   * taken stays: whoever sends all again writes the same points.
   */
  accept(batches: readonly (PointBatch | undefined)[]): Promise<void>;
}

/** What main asks of a gateway thread. */
// A type, not an interface: only that fits `Calls`, which has an index signature.
export type PointCalls = {
  /** Resolves once all records are durable. @throws SelsynError `log.full`, `log.failed` */
  appendPoints(batch: PointBatch): Promise<void>;
};
