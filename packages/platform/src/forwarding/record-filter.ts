import { filterMatches } from '@selsyn/wire/topics/topic-filter.ts';
import type { OutgoingSample } from './delivery.ts';
import type { ForwarderFilter } from './forwarder.ts';

/** What of a record can be decided without asking who its device is. */
export class RecordFilter {
  readonly #topics: readonly string[] | undefined;
  readonly #idPrefix: string;
  readonly #metrics: RegExp | undefined;

  constructor({ topics, idPrefix, metrics }: ForwarderFilter) {
    this.#topics = topics === undefined || topics.length === 0 ? undefined : topics;
    this.#idPrefix = idPrefix ?? '';
    this.#metrics =
      metrics === undefined || metrics.length === 0 ? undefined : new RegExp(`^(?:${metrics.map(patternOf).join('|')})$`, 'u');
  }

  passes(device: string, topic: string): boolean {
    if (this.#idPrefix !== '' && !device.startsWith(this.#idPrefix)) return false;
    return this.#topics === undefined || this.#topics.some((filter) => filterMatches(filter, topic));
  }

  /** What is left of samples when only the wanted metrics stay; samples of which nothing is left are not there. */
  only(samples: readonly OutgoingSample[]): readonly OutgoingSample[] {
    const wanted = this.#metrics;
    if (wanted === undefined) return samples.filter(({ values }) => hasAny(values));
    return samples.flatMap((sample) => {
      const kept = Object.entries(sample.values).filter(([metric]) => wanted.test(metric));
      return kept.length === 0 ? [] : [{ ...sample, values: Object.fromEntries(kept) }];
    });
  }
}

function hasAny(values: Readonly<Record<string, unknown>>): boolean {
  for (const _ in values) return true;
  return false;
}

/** `*` stands for any characters; all others for themselves. */
function patternOf(metric: string): string {
  return metric
    .split('*')
    .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&'))
    .join('.*');
}
