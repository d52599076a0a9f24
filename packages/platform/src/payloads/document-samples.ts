import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { quoted, type SampleValue } from '@selsyn/wire/payload/sample-checks.ts';
import { CborTime } from './cbor/cbor-value.ts';
import type { SampleSheet } from './sample-sheet.ts';

/** Whether a document has fields, by which names they are found, and what they are: JSON and CBOR alike. */
export type DocumentFields = ReadonlyMap<string, unknown>;

/** Undefined where it is no object of JSON and no map of CBOR. Whole numbers as keys are names too. */
export function fieldsOf(value: unknown): DocumentFields | undefined {
  if (value instanceof Map) {
    const map = value as ReadonlyMap<string | number, unknown>;
    for (const key of map.keys()) {
      if (typeof key !== 'string') return new Map([...map].map(([name, item]) => [String(name), item]));
    }
    return map as DocumentFields;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  if (value instanceof Uint8Array || value instanceof CborTime) return undefined;
  return new Map(Object.entries(value));
}

export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Uint8Array) return 'a string of bytes';
  if (value instanceof CborTime) return 'a time';
  return typeof value === 'object' ? 'an object' : `a ${typeof value === 'string' ? 'text' : typeof value}`;
}

/**
 * The value of a metric; null: there is none. NaN is what binary formats have for that: a sensor that could not be read.
 *
 * @throws PayloadError where no metric can be of its kind
 */
export function scalarOf(value: unknown, metric: string, where = ''): SampleValue | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number') return Number.isNaN(value) ? null : value;
  if (typeof value === 'boolean' || typeof value === 'string') return value;
  throw new PayloadError('malformed', `The value of ${quoted(metric)} is ${kindOf(value)}, which no metric can be${where}.`);
}

/** What differs between the formats whose documents are as the platform's own JSON. */
export interface DocumentRules {
  /** The value of a metric that is neither number, text nor boolean; absent: an error. */
  readonly other?: (value: unknown, metric: string, where: string) => SampleValue | null;
  /** Fields beside `values` that say nothing of a metric. */
  readonly ignoredBesideValues?: ReadonlySet<string>;
}

/**
 * A document as the platform's own JSON is (telemetry-payload.ts): a sample, or an array of them; `{a: 1}`, `{ts, a: 1}` or
 * `{ts, values: {a: 1}}`, of JSON or of CBOR.
 *
 * @throws PayloadError
 */
export function documentSamples(document: unknown, sheet: SampleSheet, rules: DocumentRules = {}): void {
  if (!Array.isArray(document)) {
    documentSample(document, sheet, '', rules);
    return;
  }
  if (document.length === 0) throw new PayloadError('malformed', 'The array has no sample.');
  for (const [index, item] of document.entries()) documentSample(item, sheet, ` in sample ${index}`, rules);
}

function documentSample(document: unknown, sheet: SampleSheet, where: string, rules: DocumentRules): void {
  const fields = fieldsOf(document);
  if (fields === undefined) throw new PayloadError('malformed', `A sample must be an object, not ${kindOf(document)}${where}.`);
  const inner = fieldsOf(fields.get('values'));
  if (inner !== undefined) {
    for (const key of fields.keys()) {
      if (key === 'ts' || key === 'values' || rules.ignoredBesideValues?.has(key) === true) continue;
      throw new PayloadError('malformed', `${quoted(key)} stands beside "values", where only "ts" may${where}.`);
    }
  }
  sheet.sample(fields.has('ts') ? timeOf(fields.get('ts'), where) : undefined, where);
  let metrics = 0;
  for (const [metric, value] of inner ?? fields) {
    if (inner === undefined && metric === 'ts') continue;
    metrics++;
    const isOther = typeof value === 'object' && value !== null;
    sheet.value(
      metric,
      isOther && rules.other !== undefined ? rules.other(value, metric, where) : scalarOf(value, metric, where),
    );
  }
  if (metrics === 0) throw new PayloadError('malformed', `The sample has no metric${where}.`);
}

function timeOf(value: unknown, where: string): number {
  if (value instanceof CborTime) return value.ms;
  if (typeof value === 'number') return value;
  throw new PayloadError('bad-time', `"ts" must be a number of milliseconds, not ${kindOf(value)}${where}.`);
}
