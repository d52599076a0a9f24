import { invalidUtf8At, jsonErrorAt, tooDeepAt } from './json-check.ts';
import { PayloadError } from './payload-error.ts';
import type { PayloadLimits } from './payload-limits.ts';

export type SampleValue = number | boolean | string;

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
/** Of a key, in a message. */
const QUOTED_UNITS = 64;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The samples of a payload, at least one. @throws PayloadError */
export function parseSamples(
  data: Uint8Array,
  start: number,
  end: number,
  arrivalMs: number,
  limits: PayloadLimits,
): readonly ParsedSample[] {
  const parsed = parseJson(data, start, end);
  if (!Array.isArray(parsed)) return [readSample(parsed, '', arrivalMs, limits)];
  if (parsed.length === 0) throw new PayloadError('malformed', 'The array has no sample.');
  if (parsed.length > limits.maxSamples) {
    throw new PayloadError('too-large', `The array has ${parsed.length} samples; at most ${limits.maxSamples} are allowed.`);
  }
  const samples: ParsedSample[] = [];
  for (const [index, value] of parsed.entries()) samples.push(readSample(value, ` in sample ${index}`, arrivalMs, limits));
  return samples;
}

function parseJson(data: Uint8Array, start: number, end: number): unknown {
  let text: string;
  try {
    text = utf8.decode(data.subarray(start, end));
  } catch {
    throw new PayloadError('malformed', `The payload is not UTF-8 at byte ${invalidUtf8At(data, start, end) - start}.`);
  }
  const deep = tooDeepAt(data, start, end, MAX_DEPTH);
  if (deep >= 0)
    throw new PayloadError('malformed', `The payload is nested deeper than telemetry can be at byte ${deep - start}.`);
  try {
    return JSON.parse(text);
  } catch {
    throw new PayloadError('malformed', `The payload is not JSON at byte ${jsonErrorAt(data, start, end) - start}.`);
  }
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
        throw new PayloadError('malformed', `The value of ${quote(name)} is ${kindOf(metric)}, which no metric can be${where}.`);
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
      throw new PayloadError('malformed', `${quote(key)} stands beside "values", where only "ts" may${where}.`);
    }
  }
}

function readTime(value: unknown, where: string, arrivalMs: number, limits: PayloadLimits): number {
  if (typeof value !== 'number')
    throw new PayloadError('bad-time', `"ts" must be a number of milliseconds, not ${kindOf(value)}${where}.`);
  if (value < 0) throw new PayloadError('bad-time', `"ts" is negative${where}.`);
  if (value > arrivalMs + limits.maxFutureMs) {
    const hours = limits.maxFutureMs / 3_600_000;
    throw new PayloadError('bad-time', `"ts" is ${value} ms, which is more than ${hours} hours in the future${where}.`);
  }
  return Math.trunc(value) + 0; // + 0: never -0
}

function checkName(name: string, where: string, limits: PayloadLimits): void {
  if (name.length === 0) throw new PayloadError('malformed', `The name of a metric is empty${where}.`);
  if (utf8Bytes(name) > limits.maxNameBytes) {
    throw new PayloadError('malformed', `The name ${quote(name)} is longer than ${limits.maxNameBytes} bytes${where}.`);
  }
  if (!name.isWellFormed()) throw new PayloadError('malformed', `The name ${quote(name)} has half a surrogate pair${where}.`);
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    if (unit < 0x20 || (unit >= 0x7f && unit <= 0x9f)) {
      throw new PayloadError('malformed', `The name ${quote(name)} has a control character${where}.`);
    }
  }
  // Names become keys of objects further on; this one would reach their prototype.
  if (name === '__proto__') throw new PayloadError('malformed', `No metric can have the name "__proto__"${where}.`);
}

function checkNumber(value: number, name: string, where: string): void {
  if (!Number.isFinite(value))
    throw new PayloadError('malformed', `The value of ${quote(name)} is too large for a number${where}.`);
}

function checkText(value: string, name: string, where: string, limits: PayloadLimits): void {
  if (value.length > limits.maxTextBytes || utf8Bytes(value) > limits.maxTextBytes) {
    throw new PayloadError('too-large', `The text of ${quote(name)} is longer than ${limits.maxTextBytes} bytes${where}.`);
  }
  if (!value.isWellFormed()) throw new PayloadError('malformed', `The text of ${quote(name)} has half a surrogate pair${where}.`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // Each half of a pair counts two of its four bytes.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}

function quote(key: string): string {
  return JSON.stringify(key.length > QUOTED_UNITS ? `${key.slice(0, QUOTED_UNITS)}…` : key);
}
