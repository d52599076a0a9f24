import { parseJson } from '@selsyn/wire/payload/json-document.ts';
import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { quoted } from '@selsyn/wire/payload/sample-checks.ts';
import type { MetricSchema } from '../registry/device-type.ts';
import { type DocumentFields, fieldsOf, kindOf, scalarOf } from './document-samples.ts';
import type { PayloadDecoder, PayloadMessage, PayloadVisitor } from './payload-decoder.ts';
import { SampleSheet } from './sample-sheet.ts';

/*
 * Values at equal distances of time:
 *
 *   {"values":[21.5,21.6,21.8],"interval":60}                             one metric, named by the definition, else "value"
 *   {"metric":"temperature","values":[21.5,21.6],"interval":60}           one metric, named by the message
 *   {"values":[{"temperature":21.5,"humidity":40},{"temperature":21.6}],"interval":60}
 *   {"values":{"temperature":[21.5,21.6],"humidity":[40,41]},"interval":60}
 *
 * interval   seconds between one value and the next, more than 0
 * ts         ms since 1970, of the first value; absent: the last value is of the message's arrival
 * null       there is no value of that time
 */

const MAX_DEPTH = 3;
/** Thirty years: nobody means more. */
const MAX_INTERVAL_SEC = 1e9;
const KEYS = new Set(['values', 'interval', 'ts', 'metric', 'unit']);

export interface BatchOptions {
  /** The name of the metric where the message has none; absent: `value`. */
  readonly metric?: string | undefined;
}

export class BatchDecoder implements PayloadDecoder {
  readonly #sheet: SampleSheet;
  readonly #metric: string;

  constructor(metrics: readonly MetricSchema[], options: BatchOptions = {}) {
    this.#sheet = new SampleSheet(metrics);
    this.#metric = options.metric ?? 'value';
  }

  decode({ data, start, end, arrivalMs }: PayloadMessage, visitor: PayloadVisitor): void {
    const sheet = this.#sheet;
    const fields = fieldsOf(parseJson(data, start, end, MAX_DEPTH));
    if (fields === undefined) throw new PayloadError('malformed', 'The batch is no JSON object.');
    for (const key of fields.keys()) {
      if (!KEYS.has(key)) throw new PayloadError('malformed', `A batch has no field ${quoted(key)}.`);
    }
    const { count, fill } = this.#valuesOf(fields, sheet);
    const intervalMs = intervalOf(fields.get('interval'));
    const firstMs = firstTime(fields, arrivalMs, (count - 1) * intervalMs);
    sheet.begin(arrivalMs);
    for (let index = 0; index < count; index++) {
      const where = ` in value ${index}`;
      sheet.sample(Math.round(firstMs + index * intervalMs), where);
      fill(index, where);
    }
    sheet.finish(visitor);
  }

  #valuesOf(fields: DocumentFields, sheet: SampleSheet): Values {
    const values = fields.get('values');
    const unit = textOf(fields, 'unit');
    if (Array.isArray(values)) {
      if (values.length === 0) throw new PayloadError('malformed', 'The batch has no value.');
      const metric = textOf(fields, 'metric') ?? this.#metric;
      const fill = (index: number, where: string): void => {
        const item: unknown = values[index];
        const inner = fieldsOf(item);
        if (inner === undefined) sheet.value(metric, scalarOf(item, metric, where), unit);
        else for (const [name, value] of inner) sheet.value(name, scalarOf(value, name, where), unit);
      };
      return { count: values.length, fill };
    }
    const columns = fieldsOf(values);
    if (columns === undefined || columns.size === 0) {
      throw new PayloadError('malformed', `"values" of a batch must be an array or an object of arrays, not ${kindOf(values)}.`);
    }
    if (fields.has('metric'))
      throw new PayloadError('malformed', '"metric" stands beside "values" that have names of their own.');
    const arrays = [...columns].map(([name, column]): readonly [string, readonly unknown[]] => {
      if (!Array.isArray(column)) throw new PayloadError('malformed', `The values of ${quoted(name)} are no array.`);
      return [name, column];
    });
    const count = arrays[0]?.[1].length ?? 0;
    if (count === 0) throw new PayloadError('malformed', 'The batch has no value.');
    const other = arrays.find(([, column]) => column.length !== count);
    if (other !== undefined) {
      throw new PayloadError('malformed', `${quoted(other[0])} has ${other[1].length} values, where others have ${count}.`);
    }
    const fill = (index: number, where: string): void => {
      for (const [name, column] of arrays) sheet.value(name, scalarOf(column[index], name, where), unit);
    };
    return { count, fill };
  }
}

interface Values {
  readonly count: number;
  /** Puts down the values of one time. */
  readonly fill: (index: number, where: string) => void;
}

function textOf(fields: DocumentFields, key: string): string | undefined {
  const value = fields.get(key);
  if (value === undefined || typeof value === 'string') return value;
  throw new PayloadError('malformed', `"${key}" of a batch must be a text, not ${kindOf(value)}.`);
}

function intervalOf(value: unknown): number {
  if (typeof value !== 'number' || !(value > 0) || value > MAX_INTERVAL_SEC) {
    throw new PayloadError(
      'malformed',
      '"interval" of a batch must be the seconds from one value to the next, more than 0 and at most 1e9.',
    );
  }
  return value * 1000;
}

function firstTime(fields: DocumentFields, arrivalMs: number, lengthMs: number): number {
  const ts = fields.get('ts');
  if (ts === undefined) return arrivalMs - lengthMs;
  if (typeof ts === 'number') return ts;
  throw new PayloadError('bad-time', `"ts" must be a number of milliseconds, not ${kindOf(ts)}.`);
}
