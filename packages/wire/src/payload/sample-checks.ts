import { PayloadError } from './payload-error.ts';
import type { PayloadLimits } from './payload-limits.ts';

/*
 * What holds for the name, the value and the time of a point, whatever format it came in. `where` ends the sentence of an error: '' or
 * ` in sample 3`.
 */

export type SampleValue = number | boolean | string;

/** Of a key, in a message. */
const QUOTED_UNITS = 64;

/** @returns whole ms. @throws PayloadError */
export function checkTime(value: number, where: string, arrivalMs: number, limits: PayloadLimits): number {
  if (Number.isNaN(value)) throw new PayloadError('bad-time', `"ts" is no number${where}.`);
  if (value < 0) throw new PayloadError('bad-time', `"ts" is negative${where}.`);
  if (value > arrivalMs + limits.maxFutureMs) {
    const hours = limits.maxFutureMs / 3_600_000;
    throw new PayloadError('bad-time', `"ts" is ${value} ms, which is more than ${hours} hours in the future${where}.`);
  }
  return Math.trunc(value) + 0; // + 0: never -0
}

/** @throws PayloadError where no metric can have this name */
export function checkName(name: string, where: string, limits: PayloadLimits): void {
  if (name.length === 0) throw new PayloadError('malformed', `The name of a metric is empty${where}.`);
  if (utf8Bytes(name) > limits.maxNameBytes) {
    throw new PayloadError('malformed', `The name ${quoted(name)} is longer than ${limits.maxNameBytes} bytes${where}.`);
  }
  if (!name.isWellFormed()) throw new PayloadError('malformed', `The name ${quoted(name)} has half a surrogate pair${where}.`);
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    if (unit < 0x20 || (unit >= 0x7f && unit <= 0x9f)) {
      throw new PayloadError('malformed', `The name ${quoted(name)} has a control character${where}.`);
    }
  }
  // Names become keys of objects further on; this one would reach their prototype.
  if (name === '__proto__') throw new PayloadError('malformed', `No metric can have the name "__proto__"${where}.`);
}

/** @throws PayloadError for what is not finite */
export function checkNumber(value: number, name: string, where: string): void {
  if (!Number.isFinite(value))
    throw new PayloadError('malformed', `The value of ${quoted(name)} is too large for a number${where}.`);
}

/** @throws PayloadError for a text that is too long, or none */
export function checkText(value: string, name: string, where: string, limits: PayloadLimits): void {
  if (value.length > limits.maxTextBytes || utf8Bytes(value) > limits.maxTextBytes) {
    throw new PayloadError('too-large', `The text of ${quoted(name)} is longer than ${limits.maxTextBytes} bytes${where}.`);
  }
  if (!value.isWellFormed())
    throw new PayloadError('malformed', `The text of ${quoted(name)} has half a surrogate pair${where}.`);
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

/** A name as a message shows it: as JSON, and not too long. */
export function quoted(key: string): string {
  return JSON.stringify(key.length > QUOTED_UNITS ? `${key.slice(0, QUOTED_UNITS)}…` : key);
}
