import { parseJson } from './json-document.ts';
import { PayloadError } from './payload-error.ts';
import type { PayloadLimits } from './payload-limits.ts';
import { checkName, checkNumber, checkText, checkTime, quoted, type SampleValue } from './sample-checks.ts';

/** One sample as JSON.parse gave it, checked against every limit. */
export interface ParsedSample {
  /** Undefined where the payload has no `ts`. */
  readonly timeMs: number | undefined;
  readonly names: readonly string[];
  readonly values: readonly SampleValue[];
  /** All values are numbers. */
  readonly numeric: boolean;
}

/** An array of objects that have `values`: nothing valid is deeper. */
const MAX_DEPTH = 3;

/** The samples of a payload, at least one. @throws PayloadError */
export function parseSamples(
  data: Uint8Array,
  start: number,
  end: number,
  arrivalMs: number,
  limits: PayloadLimits,
): readonly ParsedSample[] {
  const parsed = parseJson(data, start, end, MAX_DEPTH);
  if (!Array.isArray(parsed)) return [readSample(parsed, '', arrivalMs, limits)];
  if (parsed.length === 0) throw new PayloadError('malformed', 'The array has no sample.');
  if (parsed.length > limits.maxSamples) {
    throw new PayloadError('too-large', `The array has ${parsed.length} samples; at most ${limits.maxSamples} are allowed.`);
  }
  const samples: ParsedSample[] = [];
  for (const [index, value] of parsed.entries()) samples.push(readSample(value, ` in sample ${index}`, arrivalMs, limits));
  return samples;
}

function readSample(value: unknown, where: string, arrivalMs: number, limits: PayloadLimits): ParsedSample {
  if (!isObject(value)) throw new PayloadError('malformed', `A sample must be a JSON object, not ${kindOf(value)}${where}.`);
  const inner = Object.hasOwn(value, 'values') ? value['values'] : undefined;
  const envelope = isObject(inner);
  const metrics = envelope ? inner : value;
  const hasTime = Object.hasOwn(value, 'ts');
  if (envelope) refuseNeighbours(value, where);
  const timeMs = hasTime ? readTime(value['ts'], where, arrivalMs, limits) : undefined;
  const names: string[] = [];
  const values: SampleValue[] = [];
  let keys = 0;
  let numeric = true;
  for (const name of Object.keys(metrics)) {
    if (!envelope && name === 'ts') continue;
    if (++keys > limits.maxMetrics) {
      throw new PayloadError('too-many-metrics', `A sample has more than ${limits.maxMetrics} metrics${where}.`);
    }
    checkName(name, where, limits);
    const metric = metrics[name];
    if (metric === null) continue;
    if (typeof metric === 'number') checkNumber(metric, name, where);
    else {
      numeric = false;
      if (typeof metric === 'string') checkText(metric, name, where, limits);
      else if (typeof metric !== 'boolean') {
        throw new PayloadError('malformed', `The value of ${quoted(name)} is ${kindOf(metric)}, which no metric can be${where}.`);
      }
    }
    names.push(name);
    values.push(metric);
  }
  if (keys === 0) throw new PayloadError('malformed', `The sample has no metric${where}.`);
  return { timeMs, names, values, numeric };
}

/** Beside `values` there is only `ts`: anything else would be lost without a word. */
function refuseNeighbours(value: Readonly<Record<string, unknown>>, where: string): void {
  for (const key of Object.keys(value)) {
    if (key !== 'ts' && key !== 'values') {
      throw new PayloadError('malformed', `${quoted(key)} stands beside "values", where only "ts" may${where}.`);
    }
  }
}

function readTime(value: unknown, where: string, arrivalMs: number, limits: PayloadLimits): number {
  if (typeof value !== 'number')
    throw new PayloadError('bad-time', `"ts" must be a number of milliseconds, not ${kindOf(value)}${where}.`);
  return checkTime(value, where, arrivalMs, limits);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
