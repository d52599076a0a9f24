import { z } from 'zod';
import { type SeriesLimits, SERIES_LIMITS } from '../telemetry/series-quota.ts';

const most = z.coerce.number().int().min(0);

/** Settings of how many series there may be. */
export const CARDINALITY_SETTINGS = z
  .strictObject({
    maxSeries: most
      .default(SERIES_LIMITS.whole)
      .describe('Series (one metric of one device) that there may be in all; new ones beyond are refused. 0: no limit.'),
    maxSeriesPerType: most
      .default(0)
      .describe('Series of all devices of a device type together, where the type says nothing else. 0: no limit.'),
    maxSeriesPerDevice: most
      .default(SERIES_LIMITS.perDevice)
      .describe('Series of one device, where its type says nothing else. 0: no limit.'),
  })
  .prefault({});

export function seriesLimits(settings: Readonly<z.infer<typeof CARDINALITY_SETTINGS>>): SeriesLimits {
  const limit = (value: number): number => (value === 0 ? Infinity : value);
  return {
    whole: limit(settings.maxSeries),
    perType: limit(settings.maxSeriesPerType),
    perDevice: limit(settings.maxSeriesPerDevice),
  };
}
