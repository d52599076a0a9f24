import { encode } from 'cborg';
import { z } from 'zod';
import { CborError, decodeShallowCbor } from '../kernel/shallow-cbor.ts';
import { isShallow } from '../kernel/shallow-json.ts';

export type PayloadFormat = 'json' | 'cbor';

/** Longer payloads are refused unread: the largest honest one is a certificate request with an RSA key, some 2 KB. */
export const MAX_PAYLOAD_BYTES = 32 * 1024;
/** The message, its parameters, and a level to spare. */
const MAX_DEPTH = 4;
const MAX_PARAMETERS = 64;
const MAX_PARAMETER_LENGTH = 2_048;
const MAX_NAME_LENGTH = 128;

/** Parameters of a template, by name. Without a prototype: any name is only a name. */
export type Parameters = Readonly<Record<string, string>>;

/** `constructor` is a name as any other. */
export function parameterOf(parameters: Parameters | undefined, name: string): string | undefined {
  return parameters !== undefined && Object.hasOwn(parameters, name) ? parameters[name] : undefined;
}

/** A payload that is not what the topic wants; the message is for the one who sent it. */
export class PayloadError extends Error {
  override readonly name = 'PayloadError';
}

export interface CsrRequest {
  readonly certificateSigningRequest: string;
}

export interface ProvisionRequest {
  readonly certificateOwnershipToken: string;
  readonly parameters: Parameters;
}

const csrSchema = z.object({ certificateSigningRequest: z.string().min(1).max(MAX_PAYLOAD_BYTES) });

const parametersSchema = z
  .record(z.string().min(1).max(MAX_NAME_LENGTH), z.string().max(MAX_PARAMETER_LENGTH))
  .refine((parameters) => Object.keys(parameters).length <= MAX_PARAMETERS, `there are at most ${MAX_PARAMETERS} parameters`)
  .refine(
    (parameters) => Object.entries(parameters).every(([name, value]) => isPlainText(name) && isPlainText(value)),
    'a parameter holds characters that cannot be kept',
  );

const provisionSchema = z.object({
  certificateOwnershipToken: z.string().min(1).max(1_024),
  parameters: parametersSchema.optional(),
});

/** Of `create-from-csr`. @throws PayloadError */
export function readCsrRequest(format: PayloadFormat, payload: Uint8Array): CsrRequest {
  return parse(csrSchema, decodePayload(format, payload));
}

/** Of `create`: there is nothing to be said, but what is said must be a message. @throws PayloadError */
export function checkCreateRequest(format: PayloadFormat, payload: Uint8Array): void {
  if (payload.length > 0) parse(z.record(z.string(), z.unknown()), decodePayload(format, payload));
}

/** Of `provision`. @throws PayloadError */
export function readProvisionRequest(format: PayloadFormat, payload: Uint8Array): ProvisionRequest {
  const { certificateOwnershipToken, parameters } = parse(provisionSchema, decodePayload(format, payload));
  return { certificateOwnershipToken, parameters: Object.assign(Object.create(null) as object, parameters) };
}

/**
 * Parameters that came by another door: names of 1 to 128 characters, texts of at most 2,048, at most 64 of them.
 * @throws PayloadError
 */
export function readParameters(value: unknown): Parameters {
  return Object.assign(Object.create(null) as object, parse(parametersSchema, value));
}

export function encodePayload(format: PayloadFormat, body: unknown): Uint8Array {
  return format === 'json' ? Buffer.from(JSON.stringify(body)) : encode(body);
}

/** One value of plain data, not deeper than 4 levels. @throws PayloadError */
export function decodePayload(format: PayloadFormat, payload: Uint8Array): unknown {
  if (payload.length > MAX_PAYLOAD_BYTES) throw new PayloadError(`the payload has more than ${MAX_PAYLOAD_BYTES} bytes`);
  return format === 'json' ? decodeJson(payload) : decodeCbor(payload);
}

function decodeJson(payload: Uint8Array): unknown {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    throw new PayloadError('the payload is not JSON');
  }
  if (!isShallow(value, MAX_DEPTH)) throw new PayloadError(`the payload has more than ${MAX_DEPTH} levels`);
  return value;
}

function decodeCbor(payload: Uint8Array): unknown {
  try {
    return decodeShallowCbor(payload, MAX_DEPTH);
  } catch (error) {
    if (error instanceof CborError) throw new PayloadError(error.message);
    throw error;
  }
}

function isPlainText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue?.path.join('.') ?? '';
  throw new PayloadError(`${path === '' ? 'the payload' : path}: ${issue?.message ?? 'is not valid'}`.slice(0, 200));
}
