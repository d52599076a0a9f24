/** Where a token is looked for in a payload that is not parsed: it stands near the beginning or the end. */
const SEARCHED_BYTES = 1_024;
const TOKEN = /"clientToken"\s*:\s*("(?:[^"\\]|\\.){0,256}")/;

/**
 * The client token of a payload that is too large, or no JSON, or not to be parsed now: without it, the client would not know that the
 * answer is for it.
 */
export function findClientToken(payload: Uint8Array): string | undefined {
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  if (text.length <= 2 * SEARCHED_BYTES) return tokenIn(text.toString());
  return tokenIn(text.toString('utf8', text.length - SEARCHED_BYTES)) ?? tokenIn(text.toString('utf8', 0, SEARCHED_BYTES));
}

function tokenIn(text: string): string | undefined {
  const found = TOKEN.exec(text)?.[1];
  if (found === undefined) return undefined;
  try {
    return JSON.parse(found) as string;
  } catch {
    // What looked like a text is none.
    return undefined;
  }
}
