import type { ApiClient } from './client.ts';
import { number, optionalText, text } from './json.ts';
import { pageOf, type Page } from './page.ts';
import type { PointValue } from './telemetry.ts';

/** Points of a metric that are stored, and do not fit the device type. */
export interface QualityItem {
  readonly metric: string;
  readonly kind: string;
  readonly count: number;
  /** Of the newest of them. */
  readonly lastMs: number;
  readonly lastValue: PointValue;
  /** Of `unknown-unit`: what it came in. */
  readonly unit: string | undefined;
}

export async function fetchQuality(
  client: ApiClient,
  device: string,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Page<QualityItem>> {
  return pageOf(await client.get('/telemetry-quality', { query: { device, cursor, limit: 50 }, signal }), 'quality', (source) => {
    const value = source['lastValue'];
    return {
      metric: text(source, 'metric'),
      kind: text(source, 'kind'),
      count: number(source, 'count'),
      lastMs: number(source, 'lastMs'),
      lastValue: typeof value === 'number' || typeof value === 'boolean' ? value : String(value),
      unit: optionalText(source, 'unit'),
    };
  });
}
