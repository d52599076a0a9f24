import type { Shape } from '@selsyn/wire/payload/shape.ts';
import type { MetricSchema } from '../registry/device-type.ts';

/** What a type says of a shape's metrics, in the order of its names. */
export interface ShapeRules {
  /** Infinite where there is no bound. Undefined: none of them has one. */
  readonly mins: Float64Array | undefined;
  readonly maxs: Float64Array | undefined;
  /** Undefined where the type does not know the metric. */
  readonly types: readonly (MetricSchema['type'] | undefined)[];
  /** All that the type knows of are numbers. */
  readonly numeric: boolean;
}

const MAX_SHAPES = 256;

/** The ranges and kinds that a device type gives its metrics. */
export class MetricRanges {
  readonly #metrics: ReadonlyMap<string, MetricSchema>;
  readonly #shapes = new Map<Shape, ShapeRules | undefined>();
  #lastShape: Shape | undefined;
  #last: ShapeRules | undefined;

  private constructor(metrics: ReadonlyMap<string, MetricSchema>) {
    this.#metrics = metrics;
  }

  /** Undefined where a type says nothing of metrics. */
  static of(metrics: readonly MetricSchema[]): MetricRanges | undefined {
    return metrics.length === 0 ? undefined : new MetricRanges(new Map(metrics.map((metric) => [metric.metric, metric])));
  }

  /** Undefined where the type knows none of the shape's metrics. */
  ofShape(shape: Shape): ShapeRules | undefined {
    if (shape === this.#lastShape) return this.#last;
    let rules = this.#shapes.get(shape);
    if (rules === undefined && !this.#shapes.has(shape)) {
      rules = this.#make(shape);
      if (this.#shapes.size >= MAX_SHAPES) this.#shapes.clear();
      this.#shapes.set(shape, rules);
    }
    this.#lastShape = shape;
    this.#last = rules;
    return rules;
  }

  #make({ names }: Shape): ShapeRules | undefined {
    const known = names.map((name) => this.#metrics.get(name));
    if (known.every((metric) => metric === undefined)) return undefined;
    const ranged = known.some((metric) => metric?.min !== undefined || metric?.max !== undefined);
    return {
      mins: ranged ? Float64Array.from(known, (metric) => metric?.min ?? -Infinity) : undefined,
      maxs: ranged ? Float64Array.from(known, (metric) => metric?.max ?? Infinity) : undefined,
      types: known.map((metric) => metric?.type),
      numeric: known.every((metric) => metric === undefined || metric.type === 'number'),
    };
  }
}

/** Whether a value is out of the range that a type gives its metric. */
export function isOutOfRange(value: unknown, { min = -Infinity, max = Infinity }: Pick<MetricSchema, 'min' | 'max'>): boolean {
  return typeof value === 'number' && (value < min || value > max);
}
