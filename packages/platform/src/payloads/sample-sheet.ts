import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { PAYLOAD_LIMITS, type PayloadLimits } from '@selsyn/wire/payload/payload-limits.ts';
import { checkName, checkNumber, checkText, checkTime, quoted, type SampleValue } from '@selsyn/wire/payload/sample-checks.ts';
import { ShapeCache } from '@selsyn/wire/payload/shape.ts';
import { NO_TIME } from '@selsyn/wire/payload/telemetry-payload.ts';
import type { MetricSchema } from '../registry/device-type.ts';
import type { PayloadVisitor } from './payload-decoder.ts';
import { type Conversion, conversion } from './units/unit-conversion.ts';

/** Of one message, whatever it was packed into: as many as the largest message has of JSON. */
export const MAX_MESSAGE_POINTS = 100_000;

/** Unit names of a metric that are remembered: a device may make them up. */
const MAX_UNITS = 32;
const MAX_GOOD_NAMES = 4096;

interface Sample {
  readonly timeMs: number;
  readonly where: string;
  readonly names: string[];
  readonly values: SampleValue[];
  numeric: boolean;
}

/**
 * Where a decoder puts down what it finds in a message. Holds it to the limits that JSON has, brings it to the units of the type's
 * schema, and gives it to the visitor once all of it is good.
 *
 *   begin, { sample, value* }*, finish
 */
export class SampleSheet {
  readonly #limits: PayloadLimits;
  readonly #units: ReadonlyMap<string, MetricUnit>;
  readonly #shapes = new ShapeCache();
  /** Names that were looked at: they come again and again. */
  readonly #goodNames = new Set<string>();
  #samples: Sample[] = [];
  /** The names of the current sample, where they are many. */
  readonly #places = new Map<string, number>();
  #current: Sample | undefined;
  #points = 0;
  #arrivalMs = 0;
  #kept: (readonly [metric: string, unit: string])[] = [];

  /** @param metrics the schema of the type */
  constructor(metrics: readonly MetricSchema[], limits: PayloadLimits = PAYLOAD_LIMITS) {
    this.#limits = limits;
    this.#units = new Map(
      metrics.flatMap(({ metric, unit }) => (unit === undefined ? [] : [[metric, new MetricUnit(unit)] as const])),
    );
  }

  /** A new message: what a failed one has left is forgotten. */
  begin(arrivalMs: number): void {
    this.#arrivalMs = arrivalMs;
    this.#samples = [];
    this.#current = undefined;
    this.#points = 0;
    this.#kept = [];
  }

  /**
   * A new sample, to which the values that follow belong.
   *
   * @param time ms since 1970, a fraction is cut off; undefined: it has none of its own
   * @param where ends the sentence of an error: '' or ` in sample 3`
   * @throws PayloadError
   */
  sample(time: number | undefined, where = ''): void {
    if (this.#samples.length >= this.#limits.maxSamples) {
      throw new PayloadError('too-large', `The message has more than ${this.#limits.maxSamples} samples.`);
    }
    const timeMs = time === undefined ? NO_TIME : checkTime(time, where, this.#arrivalMs, this.#limits);
    this.#current = { timeMs, where, names: [], values: [], numeric: true };
    this.#places.clear();
    this.#samples.push(this.#current);
  }

  /** Whether the current sample has a value of this name. */
  has(metric: string): boolean {
    return this.#places.has(metric);
  }

  /** Whether the current sample was begun with this time. */
  isAt(time: number | undefined): boolean {
    return this.#current?.timeMs === (time ?? NO_TIME);
  }

  /**
   * A value of the current sample; of those with one name the last one counts. Nothing for null.
   *
   * @param unit the one that the message or the definition names
   * @throws PayloadError
   */
  value(metric: string, value: SampleValue | null, unit?: string): void {
    const sample = this.#current;
    if (sample === undefined) throw new TypeError('a value before the first sample');
    const { where } = sample;
    if (!this.#goodNames.has(metric)) this.#checkName(metric, where);
    if (value === null) return;
    let stored = value;
    if (typeof value === 'number') {
      checkNumber(value, metric, where);
      if (unit !== undefined) {
        stored = this.#inSchemaUnit(metric, value, unit);
        checkNumber(stored, metric, where);
      }
    } else if (typeof value === 'string') checkText(value, metric, where, this.#limits);
    const known = this.#places.get(metric);
    if (known !== undefined) sample.values[known] = stored;
    else {
      if (sample.names.length >= this.#limits.maxMetrics) {
        throw new PayloadError('too-many-metrics', `A sample has more than ${this.#limits.maxMetrics} metrics${where}.`);
      }
      if (++this.#points > MAX_MESSAGE_POINTS) {
        throw new PayloadError('too-large', `The message has more than ${MAX_MESSAGE_POINTS} values.`);
      }
      this.#places.set(metric, sample.names.length);
      sample.names.push(metric);
      sample.values.push(stored);
    }
    if (typeof stored !== 'number') sample.numeric = false;
  }

  /** Gives all samples that have a value to the visitor. */
  finish(visitor: PayloadVisitor): void {
    for (const [metric, unit] of this.#kept) visitor.unitKept(metric, unit);
    for (const { timeMs, names, values, numeric } of this.#samples) {
      if (names.length === 0) continue;
      const shape = this.#shapes.intern(names);
      // `numeric` is false as soon as one of them is no number; one that was replaced only makes it slower.
      if (numeric) visitor.numbers(shape, timeMs, floatsOf(values as readonly number[]));
      else visitor.mixed(shape, timeMs, values);
    }
    this.#samples = [];
    this.#current = undefined;
  }

  #checkName(metric: string, where: string): void {
    checkName(metric, where, this.#limits);
    if (this.#goodNames.size >= MAX_GOOD_NAMES) this.#goodNames.clear();
    this.#goodNames.add(metric);
  }

  #inSchemaUnit(metric: string, value: number, unit: string): number {
    const wanted = this.#units.get(metric);
    if (wanted === undefined) return value;
    const convert = wanted.from(unit);
    if (convert !== undefined) return convert(value);
    this.#kept.push([metric, unit]);
    return value;
  }
}

/** Float64Array.from takes ten times as long. */
function floatsOf(values: readonly number[]): Float64Array {
  const floats = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) floats[i] = values[i]!;
  return floats;
}

/** The unit of a metric in the schema, and the ways to it that were asked for. */
class MetricUnit {
  readonly #name: string;
  readonly #known = new Map<string, Conversion | undefined>();

  constructor(name: string) {
    this.#name = name;
  }

  from(unit: string): Conversion | undefined {
    const known = this.#known.get(unit);
    if (known !== undefined || this.#known.has(unit)) return known;
    const found = conversion(unit, this.#name);
    if (this.#known.size >= MAX_UNITS) this.#known.clear();
    this.#known.set(unit, found);
    return found;
  }
}

/** What a decoder says of a name or value that it cannot read, with the name as a message shows it. */
export function malformed(what: string, name: string, where = ''): PayloadError {
  return new PayloadError('malformed', `${what} ${quoted(name)}${where}.`);
}
