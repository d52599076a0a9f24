import { parseJson } from '@selsyn/wire/payload/json-document.ts';
import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { quoted, type SampleValue } from '@selsyn/wire/payload/sample-checks.ts';
import { SelsynError } from '../../kernel/errors.ts';
import type { MetricSchema } from '../../registry/device-type.ts';
import { readCbor } from '../cbor/cbor-reader.ts';
import { ShortTexts } from '../cbor/short-texts.ts';
import { CborTime } from '../cbor/cbor-value.ts';
import { scalarOf } from '../document-samples.ts';
import { checkMetricName } from '../metric-name.ts';
import type { PayloadDecoder, PayloadMessage, PayloadVisitor } from '../payload-decoder.ts';
import { payloadTime, type TimeUnit } from '../payload-time.ts';
import { SampleSheet } from '../sample-sheet.ts';
import { scaled, type Scaling } from '../scaling.ts';
import { type DocumentPath, findsMany, parsePath, valueAt, valuesAt } from './document-path.ts';

export interface PathMetric extends Scaling {
  readonly metric: string;
  readonly path: string;
  readonly unit?: string | undefined;
  /** What it is made to be: a text of digits is a number, 0 and 1 are booleans. Absent: as it comes. */
  readonly type?: 'number' | 'boolean' | 'text' | undefined;
}

export interface PathsOptions {
  readonly input?: 'json' | 'cbor' | undefined;
  /** Where the samples are, such as `$.readings[*]`. Absent: the message is one. */
  readonly samples?: string | undefined;
  /** Where the time of a sample is, and what it counts. Absent: the time of arrival. */
  readonly time?: { readonly path: string; readonly unit?: TimeUnit | undefined } | undefined;
  /** Each a value of a sample, where it is there. */
  readonly metrics?: readonly PathMetric[] | undefined;
  /**
   * Where a sample names its metric and has its value, such as `@.sensor` and `@.value`; the name comes behind `prefix`.
   */
  readonly named?: { readonly name: string; readonly value: string; readonly unit?: string | undefined; readonly prefix?: string | undefined } | undefined; // prettier-ignore
}

const MAX_DEPTH = 32;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** Values from wherever they are in JSON or CBOR. */
export class PathsDecoder implements PayloadDecoder {
  readonly #texts = new ShortTexts();
  readonly #sheet: SampleSheet;
  readonly #cbor: boolean;
  readonly #samples: DocumentPath | undefined;
  readonly #time: { readonly path: DocumentPath; readonly unit: TimeUnit } | undefined;
  readonly #metrics: readonly { readonly metric: PathMetric; readonly path: DocumentPath }[];
  readonly #named: { readonly name: DocumentPath; readonly value: DocumentPath; readonly unit: DocumentPath | undefined; readonly prefix: string } | undefined; // prettier-ignore

  /** @throws SelsynError `request.invalid` */
  constructor(metrics: readonly MetricSchema[], options: PathsOptions) {
    const { input = 'json', samples, time, metrics: values = [], named } = options;
    this.#sheet = new SampleSheet(metrics);
    this.#cbor = input === 'cbor';
    this.#samples = samples === undefined ? undefined : parsePath(samples, 'samples');
    if (this.#samples?.root === '@') throw invalid('samples', 'the path of the samples begins with $');
    this.#time = time === undefined ? undefined : { path: onePath(time.path, 'time'), unit: time.unit ?? 'ms' };
    this.#metrics = values.map((metric) => {
      checkMetricName(metric.metric, 'metrics');
      for (const number of [metric.scale, metric.offset]) {
        if (number !== undefined && !Number.isFinite(number)) throw invalid('metrics', 'scale and offset are finite numbers');
      }
      return { metric, path: onePath(metric.path, 'metrics') };
    });
    this.#named = named && {
      name: onePath(named.name, 'named'),
      value: onePath(named.value, 'named'),
      unit: named.unit === undefined ? undefined : onePath(named.unit, 'named'),
      prefix: named.prefix ?? '',
    };
    if (values.length === 0 && named === undefined) throw invalid('metrics', 'there is no path of a metric');
    const names = values.map(({ metric }) => metric);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) throw invalid('metrics', `${JSON.stringify(twice)} stands there twice`);
  }

  decode({ data, start, end, arrivalMs }: PayloadMessage, visitor: PayloadVisitor): void {
    const document = this.#cbor ? readCbor(data, start, end, this.#texts) : parseJson(data, start, end, MAX_DEPTH);
    const path = this.#samples;
    const samples = path === undefined ? [document] : valuesAt(document, path);
    if (samples.length === 0 && path !== undefined) throw new PayloadError('malformed', `There is nothing at ${path.text}.`);
    const sheet = this.#sheet;
    sheet.begin(arrivalMs);
    let found = 0;
    for (const [index, sample] of samples.entries()) {
      const where = samples.length === 1 ? '' : ` in sample ${index}`;
      sheet.sample(this.#timeOf(document, sample, where), where);
      found += this.#values(document, sample, where);
    }
    if (found === 0) throw new PayloadError('malformed', `There is no value at any of the paths: ${this.#paths()}.`);
    sheet.finish(visitor);
  }

  /** @returns how many there are, those included that are null */
  #values(document: unknown, sample: unknown, where: string): number {
    const sheet = this.#sheet;
    let found = 0;
    for (const { metric, path } of this.#metrics) {
      const value = valueAt(path.root === '$' ? document : sample, path);
      if (value === undefined) continue;
      found++;
      sheet.value(metric.metric, made(value, metric, where), metric.unit);
    }
    const named = this.#named;
    if (named === undefined) return found;
    const at = (path: DocumentPath): unknown => valueAt(path.root === '$' ? document : sample, path);
    const [name, value] = [at(named.name), at(named.value)];
    if (name === undefined || value === undefined) return found;
    if (typeof name !== 'string' && typeof name !== 'number') {
      throw new PayloadError('malformed', `What is at ${named.name.text} is no name${where}.`);
    }
    const unit = named.unit === undefined ? undefined : at(named.unit);
    sheet.value(`${named.prefix}${name}`, scalarOf(value, String(name), where), typeof unit === 'string' ? unit : undefined);
    return found + 1;
  }

  #timeOf(document: unknown, sample: unknown, where: string): number | undefined {
    if (this.#time === undefined) return undefined;
    const { path, unit } = this.#time;
    const value = valueAt(path.root === '$' ? document : sample, path);
    if (value === undefined || value === null) return undefined;
    if (value instanceof CborTime) return value.ms;
    const number = unit !== 'iso8601' && typeof value === 'string' && NUMBER.test(value) ? Number(value) : value;
    return payloadTime(number, unit, where);
  }

  #paths(): string {
    return this.#metrics.slice(0, 4).map(({ path }) => path.text).concat(this.#named?.value.text ?? []).join(', '); // prettier-ignore
  }
}

function made(value: unknown, { metric, type, scale, offset }: PathMetric, where: string): SampleValue | null {
  const scalar = scalarOf(value, metric, where);
  if (scalar === null) return null;
  const typed = type === undefined ? scalar : asType(scalar, type);
  if (typed === undefined) {
    throw new PayloadError('malformed', `The value of ${quoted(metric)} is no ${type}${where}.`);
  }
  return typeof typed === 'number' ? scaled(typed, { scale, offset }) : typed;
}

function asType(value: SampleValue, type: 'number' | 'boolean' | 'text'): SampleValue | undefined {
  if (type === 'text') return String(value);
  if (type === 'number') {
    if (typeof value === 'string') return NUMBER.test(value.trim()) ? Number(value) : undefined;
    return Number(value);
  }
  if (typeof value === 'boolean') return value;
  if (value === 0 || value === 1) return value === 1;
  const word = String(value).toLowerCase();
  if (word === 'true' || word === 'on' || word === '1') return true;
  return word === 'false' || word === 'off' || word === '0' ? false : undefined;
}

function onePath(text: string, field: string): DocumentPath {
  const path = parsePath(text, field);
  if (findsMany(path))
    throw invalid(field, `the path ${JSON.stringify(text)} must find one value: * may stand in "samples" alone`);
  return path;
}

function invalid(field: string, reason: string): SelsynError {
  return new SelsynError('request.invalid', reason, { details: { field } });
}
