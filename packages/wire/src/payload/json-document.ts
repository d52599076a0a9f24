import { invalidUtf8At, jsonErrorAt, tooDeepAt } from './json-check.ts';
import { PayloadError } from './payload-error.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * What JSON.parse makes of `data[start, end)`.
 *
 * @param maxDepth of brackets within brackets
 * @throws PayloadError that says at which byte something is wrong
 */
export function parseJson(data: Uint8Array, start: number, end: number, maxDepth: number): unknown {
  let text: string;
  try {
    text = utf8.decode(data.subarray(start, end));
  } catch {
    throw new PayloadError('malformed', `The payload is not UTF-8 at byte ${invalidUtf8At(data, start, end) - start}.`);
  }
  const deep = tooDeepAt(data, start, end, maxDepth);
  if (deep >= 0)
    throw new PayloadError('malformed', `The payload is nested deeper than telemetry can be at byte ${deep - start}.`);
  try {
    return JSON.parse(text);
  } catch {
    throw new PayloadError('malformed', `The payload is not JSON at byte ${jsonErrorAt(data, start, end) - start}.`);
  }
}
