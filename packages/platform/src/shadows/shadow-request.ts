import { isUtf8 } from 'node:buffer';
import { utf8LengthExceeds } from '../../../wire/src/topics/utf8-length.ts';
import { findClientToken } from './client-token.ts';
import { isJsonObject, type Json, type JsonObject, type ShadowPatch } from './shadow-document.ts';
import { FAULTS, type ShadowFault } from './shadow-faults.ts';
import { MAX_CLIENT_TOKEN_BYTES, patchFault, type ShadowLimits } from './shadow-rules.ts';

/** A payload may be larger than what it makes of the document: spaces, the envelope, keys that it takes away. */
const PAYLOAD_PER_DOCUMENT = 2;

/** What a payload asks. A request that is refused has its token where one can be found: the answer must have it. */
export type ShadowRequest =
  | {
      readonly patch: ShadowPatch;
      readonly version: number | undefined;
      readonly clientToken: string | undefined;
      readonly fault?: undefined;
    }
  | { readonly fault: ShadowFault; readonly clientToken: string | undefined };

/** The payload of `P/update`, or the body of AWS's UpdateThingShadow. */
export function parseUpdate(payload: Uint8Array, limits: ShadowLimits): ShadowRequest {
  const refused = (fault: ShadowFault, clientToken = findClientToken(payload)): ShadowRequest => ({ fault, clientToken });
  if (payload.length > limits.maxDocumentBytes * PAYLOAD_PER_DOCUMENT) return refused(FAULTS.tooLarge);
  if (!isUtf8(payload)) return refused(FAULTS.encoding);
  const body = parseObject(payload);
  if (body === undefined) return refused(FAULTS.json);
  const { clientToken } = body;
  if (!isClientToken(clientToken)) return refused(FAULTS.clientToken, typeof clientToken === 'string' ? clientToken : undefined);
  const { version, state } = body;
  if (!isVersion(version)) return refused(FAULTS.version, clientToken);
  const patch = patchOf(state);
  if ('code' in patch) return refused(patch, clientToken);
  const fault = patchFault(patch, limits);
  return fault === undefined ? { patch, version, clientToken } : refused(fault, clientToken);
}

/** The payload of `P/get` and `P/delete`, of which only the token counts (the older SDK puts its version in, which may be old). */
export function parseToken(payload: Uint8Array): {
  readonly clientToken: string | undefined;
  readonly fault: ShadowFault | undefined;
} {
  const clientToken = payload.length === 0 ? undefined : findClientToken(payload);
  return { clientToken, fault: isClientToken(clientToken) ? undefined : FAULTS.clientToken };
}

/** @returns a fault, which has a code, where the state is none. */
function patchOf(state: Json | undefined): ShadowPatch | ShadowFault {
  if (state === undefined) return FAULTS.noState;
  // AWS: "Setting the device's shadow state to null does not delete the shadow."
  if (state === null) return { desired: null, reported: null };
  if (!isJsonObject(state)) return FAULTS.state;
  const { desired, reported } = state;
  if (desired !== undefined && desired !== null && !isJsonObject(desired)) return FAULTS.desired;
  if (reported !== undefined && reported !== null && !isJsonObject(reported)) return FAULTS.reported;
  for (const key in state) if (key !== 'desired' && key !== 'reported') return FAULTS.node;
  return { desired, reported };
}

function parseObject(payload: Uint8Array): JsonObject | undefined {
  try {
    const body = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString()) as Json;
    return isJsonObject(body) ? body : undefined;
  } catch {
    // What is wrong with it is not told: AWS does not either.
    return undefined;
  }
}

function isClientToken(token: Json | undefined): token is string | undefined {
  return token === undefined || (typeof token === 'string' && !utf8LengthExceeds(token, MAX_CLIENT_TOKEN_BYTES));
}

function isVersion(version: Json | undefined): version is number | undefined {
  return version === undefined || (typeof version === 'number' && Number.isSafeInteger(version) && version >= 0);
}
