import { parseJson } from '@selsyn/wire/payload/json-document.ts';
import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { quoted, type SampleValue } from '@selsyn/wire/payload/sample-checks.ts';
import type { MetricSchema } from '../../registry/device-type.ts';
import { readCbor } from '../cbor/cbor-reader.ts';
import { ShortTexts } from '../cbor/short-texts.ts';
import { kindOf } from '../document-samples.ts';
import type { PayloadDecoder, PayloadMessage, PayloadVisitor } from '../payload-decoder.ts';
import { SampleSheet } from '../sample-sheet.ts';
import { type SenmlRecord, senmlRecord } from './senml-record.ts';

/** An array of records; what they hold beside the known fields is ignored, and may be nested a little. */
const MAX_DEPTH = 8;
/** RFC 8428, section 4.4: of fields as they are defined there. */
const NEWEST_VERSION = 10;
/** RFC 9100, section 4: 10, and units of the second registry (RFC 8798). */
const WITH_SECONDARY_UNITS = 26;
/** RFC 8428, section 4.5.3: smaller values are relative to now. */
const ABSOLUTE_FROM_S = 2 ** 28;
/** RFC 8428, section 4.5.1. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9\-:./_]*$/;

const OPEN_ARRAY = 0x5b;
const OPEN_OBJECT = 0x7b;
const SPACES = new Set([0x20, 0x09, 0x0a, 0x0d]);

export interface SenmlOptions {
  /** `json`, `cbor`, or `any` (default): told from the first byte. */
  readonly encoding?: 'json' | 'cbor' | 'any' | undefined;
  /**
   * What a metric is called: `full` (default), the base name and the name, which is unique in the world; or `local`, the name alone
   * where a record has one: of many devices of one type it is the same.
   */
  readonly names?: 'full' | 'local' | undefined;
}

/**
 * SenML (RFC 8428) in JSON or CBOR. A number, text or boolean is the value of the metric that the record names; data is a text in base64url;
 * a sum is a metric of its own, `{name}.sum`. Records of one time are one sample.
 */
export class SenmlDecoder implements PayloadDecoder {
  readonly #texts = new ShortTexts();
  readonly #sheet: SampleSheet;
  readonly #encoding: 'json' | 'cbor' | 'any';
  readonly #local: boolean;

  constructor(metrics: readonly MetricSchema[], options: SenmlOptions = {}) {
    this.#sheet = new SampleSheet(metrics);
    this.#encoding = options.encoding ?? 'any';
    this.#local = options.names === 'local';
  }

  decode({ data, start, end, arrivalMs }: PayloadMessage, visitor: PayloadVisitor): void {
    const cbor = this.#encoding === 'any' ? !looksLikeJson(data, start, end) : this.#encoding === 'cbor';
    const pack: unknown = cbor ? readCbor(data, start, end, this.#texts) : parseJson(data, start, end, MAX_DEPTH);
    if (!Array.isArray(pack)) {
      throw new PayloadError('malformed', `A SenML pack must be an array of records, not ${kindOf(pack)}.`);
    }
    if (pack.length === 0) throw new PayloadError('malformed', 'The SenML pack has no record.');
    this.#sheet.begin(arrivalMs);
    const base = new Base();
    for (const [index, item] of pack.entries()) {
      const where = ` in record ${index}`;
      const record = senmlRecord(item, cbor, where);
      base.take(record, where);
      this.#add(record, base, arrivalMs, where);
    }
    this.#sheet.finish(visitor);
  }

  #add(record: SenmlRecord, base: Base, arrivalMs: number, where: string): void {
    const { value, sum } = valuesOf(record, base, where);
    if (value === undefined && sum === undefined) {
      // Section 4.2 lets a record have base values alone: what follows stands on them.
      if (record.n !== undefined) throw new PayloadError('malformed', `The SenML record has no value${where}.`);
      return;
    }
    const full = base.name + (record.n ?? '');
    if (!NAME.test(full)) throw new PayloadError('malformed', `${quoted(full)} is no name of SenML${where}.`);
    const name = this.#nameOf(record, base, full);
    const timeMs = timeOf(base.timeSec + (record.t ?? 0), arrivalMs);
    const sheet = this.#sheet;
    // The same metric twice at one time: the later one counts, as it would in two messages.
    if (!sheet.isAt(timeMs)) sheet.sample(timeMs, where);
    if (value !== undefined) sheet.value(name, value, record.u ?? base.unit);
    if (sum !== undefined) sheet.value(`${name}.sum`, sum);
  }

  #nameOf({ n, u }: SenmlRecord, base: Base, full: string): string {
    if (n !== undefined && n !== '') return this.#local ? n : full;
    // As in the RFC's own example (section 5.1.3): what has no name of its own, and another unit than the others, is something else.
    return u !== undefined && base.unit !== undefined && u !== base.unit ? `${full}.${u}` : full;
  }
}

/** Section 4.1: what a record says of those that follow, until another says it anew. */
class Base {
  name = '';
  timeSec = 0;
  unit: string | undefined;
  value: number | undefined;
  sum: number | undefined;
  #version: number | undefined;
  #isFirst = true;

  take({ bn, bt, bu, bv, bs, bver }: SenmlRecord, where: string): void {
    if (bn !== undefined) this.name = bn;
    if (bt !== undefined) this.timeSec = bt;
    if (bu !== undefined) this.unit = bu;
    if (bv !== undefined) this.value = bv;
    if (bs !== undefined) this.sum = bs;
    if (bver !== undefined) this.#checkVersion(bver, where);
    this.#isFirst = false;
  }

  /** Section 4.4: one that is newer than what is known must not be used; and all records have the same. */
  #checkVersion(version: number, where: string): void {
    const isKnown = Number.isInteger(version) && version >= 1 && version <= NEWEST_VERSION;
    if (!isKnown && version !== WITH_SECONDARY_UNITS) {
      throw new PayloadError('malformed', `SenML of the version ${version} is not known${where}.`);
    }
    if (!this.#isFirst && version !== (this.#version ?? NEWEST_VERSION)) {
      throw new PayloadError('malformed', `The records of a SenML pack have one version${where}.`);
    }
    this.#version = version;
  }
}

/**
 * Section 4.2: one value, or a sum, or both. Section 4.5.4: a base value is added to what is there; of a sum and its base the one that
 * is missing is 0.
 */
function valuesOf(record: SenmlRecord, base: Base, where: string): { readonly value?: SampleValue; readonly sum?: number } {
  const values = [record.v, record.vs, record.vb, record.vd].filter((value) => value !== undefined);
  if (values.length > 1) throw new PayloadError('malformed', `The SenML record has more than one value${where}.`);
  const [value] = values;
  const hasSum = record.s !== undefined || (base.sum !== undefined && typeof value === 'number');
  const withSum = hasSum ? { sum: (base.sum ?? 0) + (record.s ?? 0) } : {};
  if (value === undefined) return withSum;
  return { value: typeof value === 'number' ? (base.value ?? 0) + value : value, ...withSum };
}

/** Section 4.5.3. @returns ms; undefined for now */
function timeOf(seconds: number, arrivalMs: number): number | undefined {
  if (seconds === 0) return undefined;
  const ms = Math.round(seconds * 1e6) / 1e3;
  return Math.trunc(seconds >= ABSOLUTE_FROM_S ? ms : arrivalMs + ms);
}

function looksLikeJson(data: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end && SPACES.has(data[at]!)) at++;
  // In CBOR either would be a string, and no pack.
  return at < end && (data[at] === OPEN_ARRAY || data[at] === OPEN_OBJECT);
}
