/** Larger ones say more than whether somebody is there. */
const MAX_BYTES = 4_096;
const WORDS: Readonly<Record<string, boolean>> = {
  online: true,
  connected: true,
  true: true,
  '1': true,
  offline: false,
  disconnected: false,
  false: false,
  '0': false,
};
const FIELDS = ['online', 'connected', 'status', 'state'] as const;

/**
 * What a message on `devices/{id}/status` says: `online`, `offline`, `1`, `0`, `true`, `false`, or an object of JSON with one of these
 * in `online`, `connected`, `status` or `state`. Nothing: offline, as who takes a retained status away means. Undefined: it says neither.
 */
export function onlineOf(payload: Uint8Array): boolean | undefined {
  if (payload.length === 0) return false;
  if (payload.length > MAX_BYTES) return undefined;
  const text = new TextDecoder().decode(payload).trim();
  const plain = wordOf(text);
  if (plain !== undefined || !/^[{"]/.test(text)) return plain;
  try {
    return valueOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function valueOf(value: unknown): boolean | undefined {
  if (typeof value !== 'object' || value === null) return wordOf(String(value));
  for (const field of FIELDS) {
    const said: unknown = Object.hasOwn(value, field) ? Reflect.get(value, field) : undefined;
    if (typeof said === 'string' || typeof said === 'boolean' || typeof said === 'number') return wordOf(String(said));
  }
  return undefined;
}

function wordOf(text: string): boolean | undefined {
  const word = text.toLowerCase();
  return Object.hasOwn(WORDS, word) ? WORDS[word] : undefined;
}
