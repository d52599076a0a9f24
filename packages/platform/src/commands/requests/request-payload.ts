import { isShallow } from '../../kernel/shallow-json.ts';
import type { Flavour } from '../command-topics.ts';

/** What a device asks: `{"method":"getTime","params":{…}}`. */
export interface Question {
  readonly method: string;
  /** A JSON value. */
  readonly params?: unknown;
}

/** What it is told. A failure has a code for its program and words for people. */
export type Reply =
  | { readonly payload: unknown }
  | { readonly failure: 'invalid' | 'no-method' | 'unavailable' | 'too-many'; readonly reason: string };

const MAX_QUESTION_BYTES = 32 * 1024;
const MAX_METHOD_LENGTH = 128;
const MAX_DEPTH = 32;

/** The question; or why it is none. */
export function readQuestion(bytes: Uint8Array): Question | { readonly failure: 'invalid'; readonly reason: string } {
  if (bytes.length > MAX_QUESTION_BYTES) return invalid(`the payload has more than ${MAX_QUESTION_BYTES} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return invalid('the payload is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return invalid('the payload is no object');
  if (!isShallow(value, MAX_DEPTH)) return invalid(`the payload has more than ${MAX_DEPTH} levels`);
  const { method, params } = value as { readonly [key: string]: unknown };
  if (typeof method !== 'string' || method === '' || method.length > MAX_METHOD_LENGTH)
    return invalid(`method must be a text of 1 to ${MAX_METHOD_LENGTH} characters`);
  return { method, ...(params !== undefined && { params }) };
}

/**
 * ```
 * selsyn       {"status":"succeeded","payload":…}, {"status":"failed","code":"no-method","reason":"…"}
 * thingsboard  the payload; {"error":"…"}
 * ```
 */
export function encodeReply({ flavour }: { readonly flavour: Flavour }, reply: Reply): Uint8Array {
  if ('payload' in reply) {
    const payload = reply.payload ?? null;
    return Buffer.from(JSON.stringify(flavour === 'thingsboard' ? payload : { status: 'succeeded', payload }));
  }
  const { failure, reason } = reply;
  return Buffer.from(
    JSON.stringify(flavour === 'thingsboard' ? { error: reason, code: failure } : { status: 'failed', code: failure, reason }),
  );
}

function invalid(reason: string): { readonly failure: 'invalid'; readonly reason: string } {
  return { failure: 'invalid', reason };
}
