import type { ParsedSample } from './parsed-samples.ts';
import { SampleSkeleton } from './sample-skeleton.ts';
import type { Shape } from './shape.ts';

const MAX_SKELETON_BYTES = 8192;
const BACKSLASH = 0x5c;
const utf8 = new TextDecoder();

export interface LearnedSkeleton {
  /** Undefined where there is none that is safe. */
  readonly skeleton: SampleSkeleton | undefined;
  /** The position after the object. */
  readonly end: number;
}

/**
 * Learns a skeleton from the object at `start`, which JSON.parse has read, and which was found to be `sample`.
 *
 * Safe means: each slot belongs to a name of the sample or to its time, and each of those has one slot. That leaves out
 * keys that stand twice, where which of the two counts may depend on what is in them. It also means: the skeleton reads
 * the object that it was learned from.
 */
export function learnSkeleton(data: Uint8Array, start: number, sample: ParsedSample, shape: Shape): LearnedSkeleton {
  const bytes: number[] = [];
  const slotEnds: number[] = [];
  const slotTargets: number[] = [];
  const timeTarget = sample.names.length;
  const targets = new Map(sample.names.map((name, index) => [name, index]));
  let safe = timeTarget > 0;
  let depth = 0;
  let text = '';
  let key = '';
  let behindColon = false;
  let at = start;
  do {
    const byte = data[at]!;
    const string = byte === 0x22;
    let after = string ? afterString(data, at) : at + 1;
    const slot = behindColon && (string || byte === 0x74 || byte === 0x66 || byte === 0x2d || (byte >= 0x30 && byte <= 0x39));
    if (slot) {
      if (!string) after = afterScalar(data, at);
      // A text with an escape is left to JSON.parse each time, and would be learned anew each time.
      else if (data.subarray(at, after).includes(BACKSLASH)) safe = false;
      slotEnds.push(bytes.length);
      slotTargets.push(depth === 1 && key === 'ts' ? timeTarget : (targets.get(key) ?? -1));
    } else {
      if (string && safe) text = JSON.parse(utf8.decode(data.subarray(at, after))) as string; // it is a JSON string
      if (byte === 0x3a) key = text;
      // Only the value of a key that stands twice can be another one; in an array it may be too deep.
      const nested = byte === 0x5b || (byte === 0x7b && depth > 0 && (depth > 1 || key !== 'values'));
      if (nested) safe = false;
      if (byte === 0x5b || byte === 0x7b) depth++;
      if (byte === 0x5d || byte === 0x7d) depth--;
      if (bytes.length + (after - at) > MAX_SKELETON_BYTES) safe = false;
      if (safe) for (let i = at; i < after; i++) bytes.push(data[i]!);
    }
    const space = byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
    if (!space) behindColon = byte === 0x3a;
    at = after;
  } while (depth > 0);
  const hasTime = sample.timeMs !== undefined;
  const expected = timeTarget + (hasTime ? 1 : 0);
  const distinct = new Set(slotTargets);
  safe &&=
    slotTargets.length === expected && distinct.size === expected && !distinct.has(-1) && distinct.has(timeTarget) === hasTime;
  return {
    skeleton: safe ? new SampleSkeleton(shape, hasTime, Uint8Array.from(bytes), slotEnds, slotTargets) : undefined,
    end: at,
  };
}

/** Of valid JSON. */
function afterString(data: Uint8Array, quote: number): number {
  let at = quote + 1;
  while (data[at] !== 0x22) at += data[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

/** Of valid JSON: letters, digits, signs and dots up to a comma, a bracket or white space. */
function afterScalar(data: Uint8Array, start: number): number {
  let at = start + 1;
  while (data[at]! > 0x20 && data[at] !== 0x2c && data[at] !== 0x7d && data[at] !== 0x5d) at++;
  return at;
}
