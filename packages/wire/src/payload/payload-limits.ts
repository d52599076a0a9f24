/** What a telemetry payload may hold. The caller bounds its size in bytes. */
export interface PayloadLimits {
  readonly maxSamples: number;
  /** In one sample. */
  readonly maxMetrics: number;
  /** Of a metric's name, in UTF-8. */
  readonly maxNameBytes: number;
  /** Of a text value, in UTF-8. */
  readonly maxTextBytes: number;
  /** How far a timestamp may lie beyond the arrival. */
  readonly maxFutureMs: number;
}

export const PAYLOAD_LIMITS: PayloadLimits = {
  maxSamples: 10_000,
  maxMetrics: 256,
  maxNameBytes: 256,
  maxTextBytes: 1024,
  maxFutureMs: 24 * 60 * 60 * 1000,
};
