/**
 * Records of points on their way to one partition of the log.
 *
 * Record i is `data[ends[i - 1], ends[i])`, from 0 for the first, of `devices[deviceIndex[i]]`. It is a sample, or an array of samples,
 * in the platform's own JSON: `{"ts":1700000000000,"values":{"temperature":21.5,"door":"open","on":true}}`; `ts` is in ms and always
 * there. Whoever makes one has checked all of it against PAYLOAD_LIMITS: nothing of it may become a dead letter that its sender,
 * who was told that it is kept, never hears of.
 */
export interface PointBatch {
  readonly devices: readonly string[];
  readonly deviceIndex: Uint32Array;
  readonly data: Uint8Array;
  readonly ends: Uint32Array;
}
