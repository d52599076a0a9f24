import { isWithin, lineageOf, ROOT_GROUP } from '../registry/group-path.ts';
import { liftCoarser, longer } from './kept-levels.ts';
import { DEFAULT_KEEP, LEVELS, type KeptDays, type RetentionPolicy } from './retention-policy.ts';

/** What a policy is chosen by. */
export interface SeriesPlace {
  /** Undefined: of no type, or of a device that the registry does not know. */
  readonly deviceType: string | undefined;
  readonly group: string;
  readonly metric: string;
}

/** Kept answers, so that a series costs two look-ups. */
const MAX_REMEMBERED = 200_000;

/**
 * Which policy holds for which series.
 *
 * Every level comes from the first policy, in this order, whose conditions all fit and that says something of the level:
 * more conditions before fewer; then a metric before a group before a type; a metric by its name before one with `*`, and
 * the longer of these; the deeper group. No two policies have the same conditions, so that the order is one.
 * Coarser points are kept at least as long as finer ones, whatever the policies say: queries are answered from them.
 *
 * Different answers are numbered: `classes[classOf(place)]`.
 */
export class PolicyOrder {
  readonly classes: KeptDays[] = [];
  readonly #policies: readonly Ordered[];
  readonly #byText = new Map<string, number>();
  readonly #places = new Map<string, { readonly fitting: readonly Ordered[]; readonly metrics: Map<string, number> }>();
  #remembered = 0;

  constructor(policies: readonly RetentionPolicy[]) {
    this.#policies = policies.map(ordered).sort(moreSpecificFirst);
  }

  /** True where all series have the same answer, whatever they are. */
  get isUniform(): boolean {
    return this.#policies.every(({ rank }) => rank.conditions === 0);
  }

  /** True where the answer is the same for every device. */
  get isByMetricOnly(): boolean {
    return this.#policies.every(({ policy }) => policy.deviceType === undefined && policy.group === undefined);
  }

  keptOf(place: SeriesPlace): KeptDays {
    return this.classes[this.classOf(place)]!;
  }

  classOf({ deviceType, group, metric }: SeriesPlace): number {
    const key = `${deviceType ?? ''}\0${group}`;
    let place = this.#places.get(key);
    if (place === undefined || this.#remembered > MAX_REMEMBERED) {
      if (this.#remembered > MAX_REMEMBERED) this.#forget();
      place = { fitting: this.#policies.filter(({ policy }) => fitsDevice(policy, deviceType, group)), metrics: new Map() };
      this.#places.set(key, place);
      this.#remembered++;
    }
    let found = place.metrics.get(metric);
    if (found === undefined) {
      found = this.#classOf(place.fitting.filter(({ isMetric }) => isMetric === undefined || isMetric(metric)));
      place.metrics.set(metric, found);
      this.#remembered++;
    }
    return found;
  }

  #classOf(fitting: readonly Ordered[]): number {
    const said = Object.fromEntries(
      LEVELS.map((level) => {
        const days = fitting.find(({ policy }) => policy.keepDays[level] !== undefined)?.policy.keepDays[level];
        return [level, days === undefined ? DEFAULT_KEEP[level] : days];
      }),
    ) as Record<(typeof LEVELS)[number], number | null>; // one entry for each level
    const kept = liftCoarser(said);
    const text = JSON.stringify(kept);
    let found = this.#byText.get(text);
    if (found === undefined) {
      found = this.classes.push(kept) - 1;
      this.#byText.set(text, found);
    }
    return found;
  }

  /** The longest that an archived point of a device of a type may have to be kept, whatever its group and metric. */
  archiveDaysOfType(deviceType: string | undefined): number | null {
    const said = this.#policies.flatMap(({ policy }) => {
      const days = policy.keepDays.archive;
      return days === undefined || (policy.deviceType !== undefined && policy.deviceType !== deviceType) ? [] : [days];
    });
    const whole = this.#policies.some(({ rank, policy }) => rank.conditions === 0 && policy.keepDays.archive !== undefined);
    return [...said, ...(whole ? [] : [DEFAULT_KEEP.archive])].reduce(longer);
  }

  #forget(): void {
    this.#places.clear();
    this.#remembered = 0;
  }
}

interface Ordered {
  readonly policy: RetentionPolicy;
  readonly isMetric: ((metric: string) => boolean) | undefined;
  readonly rank: {
    readonly conditions: number;
    /** 2: by its name; 1: with `*`; 0: any. */
    readonly metric: number;
    readonly metricLength: number;
    readonly groupDepth: number;
  };
}

function ordered(policy: RetentionPolicy): Ordered {
  const { deviceType, group, metric } = policy;
  return {
    policy,
    isMetric: metric === undefined ? undefined : metricMatcher(metric),
    rank: {
      conditions: [deviceType, group, metric].filter((condition) => condition !== undefined).length,
      metric: metric === undefined ? 0 : metric.includes('*') ? 1 : 2,
      metricLength: metric?.replaceAll('*', '').length ?? 0,
      groupDepth: group === undefined ? 0 : lineageOf(group).length,
    },
  };
}

function moreSpecificFirst({ rank: a, policy }: Ordered, { rank: b, policy: other }: Ordered): number {
  return (
    b.conditions - a.conditions ||
    b.metric - a.metric ||
    b.metricLength - a.metricLength ||
    b.groupDepth - a.groupDepth ||
    // Two patterns of one length that both fit, two that are alike in all: any order, but always the same.
    (policy.name < other.name ? -1 : 1)
  );
}

function fitsDevice({ deviceType: type, group }: RetentionPolicy, deviceType: string | undefined, path: string): boolean {
  return (type === undefined || type === deviceType) && (group === undefined || group === ROOT_GROUP || isWithin(path, group));
}

/** `*` stands for any characters, none too; all else for itself. Takes time proportional to both lengths, whatever the pattern. */
export function metricMatcher(pattern: string): (metric: string) => boolean {
  const parts = pattern.split('*');
  const [first] = parts;
  const last = parts.at(-1);
  if (parts.length === 1 || first === undefined || last === undefined) return (metric) => metric === pattern;
  return (metric) => {
    if (metric.length < first.length + last.length || !metric.startsWith(first) || !metric.endsWith(last)) return false;
    let at = first.length;
    const end = metric.length - last.length;
    for (const part of parts.slice(1, -1)) {
      const found = metric.indexOf(part, at);
      if (found < 0 || found + part.length > end) return false;
      at = found + part.length;
    }
    return true;
  };
}
