import type { MetricSchema } from '../registry/device-type.ts';
import type { PayloadDecoder } from './payload-decoder.ts';
import { MetricRanges } from './metric-ranges.ts';

/** How many series devices of a type may have, together and each; undefined: as configured. */
export interface SeriesLimitsOfType {
  readonly series?: number | undefined;
  readonly perDevice?: number | undefined;
}

/**
 * What the devices of one type have in common, for whoever reads what they send. One object for all of them: kept as long as nothing
 * of it was changed, and then `stale`.
 */
export class TypeFacts {
  /** Undefined: devices without a type, and those that the registry does not know (yet). */
  readonly type: string | undefined;
  readonly metrics: readonly MetricSchema[];
  /** The codec of the type; undefined: the platform's own JSON, which needs none. */
  readonly decoder: PayloadDecoder | undefined;
  /** Undefined where nothing that is sent as a number can be out of range or of another kind. */
  readonly ranges: MetricRanges | undefined;
  readonly limits: SeriesLimitsOfType;
  /** True once the type, its decoder, or all that is known of devices has changed: ask again. */
  stale = false;

  constructor(
    type: string | undefined,
    metrics: readonly MetricSchema[] = [],
    decoder?: PayloadDecoder,
    limits: SeriesLimitsOfType = {},
  ) {
    this.type = type;
    this.metrics = metrics;
    this.decoder = decoder;
    this.limits = limits;
    this.ranges = MetricRanges.of(metrics);
  }

  /** The same, not stale. */
  renewed(): TypeFacts {
    return new TypeFacts(this.type, this.metrics, this.decoder, this.limits);
  }
}
