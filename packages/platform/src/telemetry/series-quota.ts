import type { SeriesLimitsOfType } from '../payloads/type-facts.ts';

/** How many series there may be; Infinity: as many as come. Those that are there already stay, also above a limit. */
export interface SeriesLimits {
  readonly perDevice: number;
  /** Of all devices of a type together, where the type says nothing else. */
  readonly perType: number;
  readonly whole: number;
}

export const SERIES_LIMITS: SeriesLimits = { perDevice: 1000, perType: Infinity, whole: 10_000_000 };

/** The share of a limit from which on it is told of. */
export const NEAR = 0.8;

export type QuotaState = 'ok' | 'near' | 'full';

export type QuotaScope = 'device' | 'type' | 'whole';

/** Why no series was added. */
export interface SeriesRefusal {
  readonly scope: QuotaScope;
  /** Of the type; '' otherwise. */
  readonly type: string;
  readonly series: number;
  readonly limit: number;
  readonly added: number;
}

export function stateOf(series: number, limit: number): QuotaState {
  if (series >= limit) return 'full';
  return series >= limit * NEAR ? 'near' : 'ok';
}

/** The series of devices of one type, or of those that have none. */
export class TypeQuota {
  /** '' for devices without a type. */
  readonly type: string;
  series = 0;
  limit = Infinity;
  perDevice = Infinity;

  constructor(type: string) {
    this.type = type;
  }
}

/**
 * Counts series by type and in all, and says whether there is room for more. A device carries the quota of its type, so that a new
 * series costs no look-up.
 */
export class SeriesQuotas {
  readonly limits: SeriesLimits;
  readonly untyped = new TypeQuota('');
  readonly #types = new Map<string, TypeQuota>();
  series = 0;
  /** How many messages had new series refused, since the start; a replay counts again. */
  readonly refused: Record<QuotaScope, number> = { device: 0, type: 0, whole: 0 };

  constructor(limits: SeriesLimits) {
    this.limits = limits;
    this.untyped.perDevice = limits.perDevice;
  }

  get types(): Iterable<TypeQuota> {
    return this.#types.values();
  }

  typeOf(type: string | undefined): TypeQuota {
    if (type === undefined || type === '') return this.untyped;
    let quota = this.#types.get(type);
    if (quota === undefined) {
      quota = new TypeQuota(type);
      quota.limit = this.limits.perType;
      quota.perDevice = this.limits.perDevice;
      this.#types.set(type, quota);
    }
    return quota;
  }

  setTypeLimits(type: string, { series, perDevice }: SeriesLimitsOfType): void {
    const quota = this.typeOf(type);
    quota.limit = series ?? this.limits.perType;
    quota.perDevice = perDevice ?? this.limits.perDevice;
  }

  /** @param has series of the device. @returns undefined where all of `added` have room, in every scope. */
  refusal(quota: TypeQuota, has: number, added: number): SeriesRefusal | undefined {
    if (has + added > quota.perDevice) return this.#refuse('device', quota.type, has, quota.perDevice, added);
    if (quota.series + added > quota.limit) return this.#refuse('type', quota.type, quota.series, quota.limit, added);
    if (this.series + added > this.limits.whole) return this.#refuse('whole', '', this.series, this.limits.whole, added);
    return undefined;
  }

  /** @param change how many more, or fewer */
  count(quota: TypeQuota, change: number): void {
    quota.series += change;
    this.series += change;
  }

  move(from: TypeQuota, to: TypeQuota, series: number): void {
    from.series -= series;
    to.series += series;
  }

  #refuse(scope: QuotaScope, type: string, series: number, limit: number, added: number): SeriesRefusal {
    this.refused[scope]++;
    return { scope, type, series, limit, added };
  }
}

/** One sentence for whoever reads the dead letter. */
export function refusalText({ scope, type, series, limit, added }: SeriesRefusal): string {
  const metrics = added === 1 ? '1 new metric was' : `${added} new metrics were`;
  const whose = scope === 'device' ? 'the device' : scope === 'type' ? `the device type ${type}` : 'the platform';
  return `${metrics} refused: ${whose} has ${series} of at most ${limit} series; values of known metrics were stored`;
}
