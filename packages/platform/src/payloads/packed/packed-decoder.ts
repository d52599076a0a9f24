import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { quoted } from '@selsyn/wire/payload/sample-checks.ts';
import { SelsynError } from '../../kernel/errors.ts';
import type { MetricSchema } from '../../registry/device-type.ts';
import { checkMetricName } from '../metric-name.ts';
import type { PayloadDecoder, PayloadMessage, PayloadVisitor } from '../payload-decoder.ts';
import { payloadTime, type TimeUnit } from '../payload-time.ts';
import { SampleSheet } from '../sample-sheet.ts';
import { scaled, type Scaling } from '../scaling.ts';
import { type PackedItem, parseLayout } from './packed-layout.ts';

/** What an item of the layout means. */
export interface PackedField extends Scaling {
  /** The metric; `ts` is the time of the sample, `-` nothing. With `bits`: absent. */
  readonly metric?: string | undefined;
  readonly unit?: string | undefined;
  /** Raw values that mean that there is none, such as 32767. */
  readonly absent?: readonly number[] | undefined;
  /** Of a whole number of up to 32 bits: parts of it, each a metric. */
  readonly bits?: readonly PackedBits[] | undefined;
}

/** `width` bits from bit `at` on, the lowest of a number being bit 0. One bit (default) is a boolean, more are a number. */
export interface PackedBits extends Scaling {
  readonly metric: string;
  readonly at: number;
  readonly width?: number | undefined;
  readonly unit?: string | undefined;
}

export interface PackedOptions {
  readonly layout: string;
  /** One for each item of the layout that is no padding: a metric's name, or more. */
  readonly fields: readonly (string | PackedField)[];
  /** What the field `ts` counts. Default `ms`. */
  readonly time?: Exclude<TimeUnit, 'iso8601'> | undefined;
  /** A message may have the layout several times in a row, each a sample. Default false. */
  readonly repeat?: boolean | undefined;
}

const TIME = 'ts';
const NOTHING = '-';
const BITS = 32;

/** Packed binary by a declared layout, such as `>Qfff`. */
export class PackedDecoder implements PayloadDecoder {
  readonly #sheet: SampleSheet;
  readonly #bytes: number;
  readonly #repeat: boolean;
  readonly #time: Exclude<TimeUnit, 'iso8601'>;
  readonly #timeItem: PackedItem | undefined;
  readonly #fields: readonly { readonly item: PackedItem; readonly field: PackedField }[];

  /** @throws SelsynError `request.invalid` */
  constructor(metrics: readonly MetricSchema[], { layout: text, fields, time = 'ms', repeat = false }: PackedOptions) {
    const layout = parseLayout(text);
    if (fields.length !== layout.items.length) {
      throw invalid(`the layout ${text} has ${layout.items.length} items, and there are ${fields.length} fields`);
    }
    const known = fields.map((field, index) => ({
      item: layout.items[index]!,
      field: typeof field === 'string' ? { metric: field } : field,
    }));
    for (const { item, field } of known) checkField(item, field);
    const names = known.flatMap(({ field }) => field.bits?.map(({ metric }) => metric) ?? [field.metric ?? '']);
    const twice = names.find((name, index) => name !== NOTHING && names.indexOf(name) !== index);
    if (twice !== undefined) throw invalid(`${JSON.stringify(twice)} stands twice among the fields`);
    this.#sheet = new SampleSheet(metrics);
    this.#bytes = layout.bytes;
    this.#repeat = repeat;
    this.#time = time;
    this.#timeItem = known.find(({ field }) => field.metric === TIME)?.item;
    this.#fields = known.filter(({ field }) => field.metric !== TIME && field.metric !== NOTHING);
    if (this.#fields.length === 0) throw invalid('no field is a metric');
  }

  decode({ data, start, end, arrivalMs }: PayloadMessage, visitor: PayloadVisitor): void {
    const size = end - start;
    const records = size / this.#bytes;
    if (this.#repeat ? !Number.isInteger(records) || records === 0 : records !== 1) {
      const wanted = this.#repeat ? `a multiple of ${this.#bytes}` : String(this.#bytes);
      throw new PayloadError('malformed', `The message has ${size} bytes, and the layout ${wanted}.`);
    }
    const view = new DataView(data.buffer, data.byteOffset + start, size);
    this.#sheet.begin(arrivalMs);
    for (let record = 0; record < records; record++) this.#record(view, record, records > 1 ? ` in record ${record}` : '');
    this.#sheet.finish(visitor);
  }

  #record(view: DataView, record: number, where: string): void {
    const from = record * this.#bytes;
    const sheet = this.#sheet;
    const time = this.#timeItem;
    sheet.sample(time && payloadTime(time.read(view, from + time.offset), this.#time, where), where);
    for (const { item, field } of this.#fields) {
      if (field.bits !== undefined) {
        const raw = Number(item.read(view, from + item.offset)) >>> 0;
        for (const bits of field.bits) sheet.value(bits.metric, valueOfBits(raw, bits), bits.unit);
        continue;
      }
      const metric = field.metric ?? '';
      const raw = readItem(view, item, from, metric, where);
      if (typeof raw !== 'number') sheet.value(metric, raw);
      // NaN is what binary formats have for: there is no value.
      else if (Number.isNaN(raw) || field.absent?.includes(raw) === true) sheet.value(metric, null);
      else sheet.value(metric, scaled(raw, field), field.unit);
    }
  }
}

function readItem(view: DataView, item: PackedItem, from: number, metric: string, where: string): number | boolean | string {
  try {
    return item.read(view, from + item.offset);
  } catch (error) {
    // The text decoder's, when it is fatal; the length was looked at before.
    if (error instanceof TypeError) throw new PayloadError('malformed', `The text of ${quoted(metric)} is not UTF-8${where}.`);
    throw error;
  }
}

function valueOfBits(raw: number, { at, width = 1, scale, offset }: PackedBits): number | boolean {
  if (width === 1) return ((raw >>> at) & 1) === 1;
  const part = width === BITS ? raw : (raw >>> at) & (2 ** width - 1);
  return scaled(part, { scale, offset });
}

function checkField(item: PackedItem, field: PackedField): void {
  const { metric, bits, scale, offset, absent } = field;
  if ((metric === undefined) === (bits === undefined)) throw invalid('a field has either a metric or bits');
  for (const number of [scale, offset, ...(absent ?? [])]) {
    if (number !== undefined && !Number.isFinite(number)) throw invalid('scale, offset and absent are finite numbers');
  }
  const isNumber = item.kind === 'integer' || item.kind === 'float';
  const needsNumber = scale !== undefined || offset !== undefined || absent !== undefined || field.unit !== undefined;
  if (needsNumber && !isNumber) throw invalid(`"${item.code}" is no number: it has neither scale, offset, absent nor unit`);
  if (metric === TIME) {
    if (!isNumber || needsNumber) throw invalid('ts is a number, without scale, offset, absent and unit');
    return;
  }
  if (metric !== undefined && metric !== NOTHING) checkMetricName(metric, 'fields');
  if (bits === undefined) return;
  if (item.kind !== 'integer' || item.bytes > 4) throw invalid('bits are of a whole number of at most 4 bytes');
  if (bits.length === 0) throw invalid('bits are an empty list');
  for (const { metric: name, at, width = 1 } of bits) {
    checkMetricName(name, 'fields');
    if (!Number.isInteger(at) || !Number.isInteger(width) || at < 0 || width < 1 || at + width > item.bytes * 8) {
      throw invalid(`the bits of ${JSON.stringify(name)} are not within ${item.bytes * 8} bits`);
    }
  }
}

function invalid(reason: string): SelsynError {
  return new SelsynError('request.invalid', reason, { details: { field: 'fields' } });
}
