import { encode } from 'cborg';
import { CborError, decodeShallowCbor } from '../kernel/shallow-cbor.ts';
import { isShallow } from '../kernel/shallow-json.ts';
import { MAX_ANSWER_BYTES, MAX_REASON_LENGTH } from './command.ts';
import type { Flavour } from './command-topics.ts';

/** What a device says of a command. */
export interface DeviceWord {
  readonly kind: 'succeeded' | 'failed' | 'progress';
  /** A plain JSON value. */
  readonly payload?: unknown;
  readonly reason?: string;
}

/** It cannot be understood; the message is for the device. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError';
}

const MAX_DEPTH = 32;
/** In the words of devices and of AWS's; TIMED_OUT: the device itself gave up. */
const KINDS: Readonly<Record<string, DeviceWord['kind']>> = {
  succeeded: 'succeeded',
  failed: 'failed',
  progress: 'progress',
};
const AWS_KINDS: Readonly<Record<string, DeviceWord['kind']>> = {
  SUCCEEDED: 'succeeded',
  FAILED: 'failed',
  REJECTED: 'failed',
  TIMED_OUT: 'failed',
  IN_PROGRESS: 'progress',
};

/**
 * Reads an answer.
 *
 * ```
 * selsyn       {"status":"succeeded"|"failed"|"progress","payload":…,"reason":"…"}; whatever else, or nothing, is the payload of a success
 * aws          {"status":"SUCCEEDED"|"FAILED"|"REJECTED"|"TIMED_OUT"|"IN_PROGRESS",
 *               "statusReason":{"reasonCode":"…","reasonDescription":"…"},"result":{…}}
 * thingsboard  whatever it is, it is the payload of a success
 * ```
 * @throws AnswerError only for aws: the others say yes to anything.
 */
export function readAnswer(flavour: Flavour, bytes: Uint8Array): DeviceWord {
  if (flavour === 'aws-json' || flavour === 'aws-cbor') return readAws(flavour, bytes);
  if (bytes.length > MAX_ANSWER_BYTES) return { kind: 'succeeded', reason: tooLong(bytes) };
  const payload = plainValue(bytes);
  if (flavour === 'selsyn' && isObject(payload) && typeof payload.status === 'string' && Object.hasOwn(KINDS, payload.status)) {
    const { status, reason } = payload;
    return {
      kind: KINDS[status] ?? 'succeeded',
      ...(payload.payload !== undefined && { payload: payload.payload }),
      ...(typeof reason === 'string' && reason !== '' && { reason: reason.slice(0, MAX_REASON_LENGTH) }),
    };
  }
  return { kind: 'succeeded', ...(payload !== undefined && { payload }) };
}

function readAws(flavour: 'aws-json' | 'aws-cbor', bytes: Uint8Array): DeviceWord {
  if (bytes.length > MAX_ANSWER_BYTES) throw new AnswerError(`the payload has more than ${MAX_ANSWER_BYTES} bytes`);
  const value = flavour === 'aws-json' ? json(bytes) : cbor(bytes);
  if (!isObject(value)) throw new AnswerError('the payload is no object');
  const { status, statusReason, result } = value;
  const kind = typeof status === 'string' && Object.hasOwn(AWS_KINDS, status) ? AWS_KINDS[status] : undefined;
  if (kind === undefined) throw new AnswerError(`status must be one of ${Object.keys(AWS_KINDS).join(', ')}`);
  const reasons = isObject(statusReason) ? [statusReason.reasonCode, statusReason.reasonDescription] : [];
  const said = reasons.filter((each): each is string => typeof each === 'string' && each !== '').join(': ');
  const reason = said === '' && kind === 'failed' && status !== 'FAILED' ? String(status) : said;
  return {
    kind,
    ...(result !== undefined && { payload: asJson(result) }),
    ...(reason !== '' && { reason: reason.slice(0, MAX_REASON_LENGTH) }),
  };
}

export function encodeAws(flavour: 'aws-json' | 'aws-cbor', body: object): Uint8Array {
  return flavour === 'aws-json' ? Buffer.from(JSON.stringify(body)) : encode(body);
}

/** JSON as it is; else the text; else the bytes in base64. */
function plainValue(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return { base64: Buffer.from(bytes).toString('base64') };
  }
  try {
    const value: unknown = JSON.parse(text);
    return isShallow(value, MAX_DEPTH) ? value : text;
  } catch {
    return text;
  }
}

function json(bytes: Uint8Array): unknown {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new AnswerError('the payload is not JSON');
  }
  if (!isShallow(value, MAX_DEPTH)) throw new AnswerError(`the payload has more than ${MAX_DEPTH} levels`);
  return value;
}

function cbor(bytes: Uint8Array): unknown {
  try {
    return decodeShallowCbor(bytes, MAX_DEPTH);
  } catch (error) {
    if (error instanceof CborError) throw new AnswerError(error.message);
    throw error;
  }
}

/** CBOR has byte strings: JSON says them in base64. */
function asJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map(asJson);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asJson(item)]));
}

function tooLong(bytes: Uint8Array): string {
  return `the answer had ${bytes.length} bytes; those of more than ${MAX_ANSWER_BYTES} are not kept`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
