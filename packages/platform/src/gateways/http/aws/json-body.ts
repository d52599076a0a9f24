import { isUtf8 } from 'node:buffer';
import { AwsError } from './aws-error.ts';

/** An empty body is an empty object. @throws AwsError InvalidRequestException */
export function jsonObjectOf(body: Uint8Array): Readonly<Record<string, unknown>> {
  if (body.length === 0) return {};
  const value = isUtf8(body) ? parse(Buffer.from(body).toString('utf8')) : undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new AwsError('InvalidRequestException', 'The body must be a JSON object');
  return value as Readonly<Record<string, unknown>>;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
