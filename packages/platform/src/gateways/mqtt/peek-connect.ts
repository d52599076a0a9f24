/** What the first bytes of a connection tell about where it is to be served. */
export type ConnectPeek =
  /** Too few bytes: nothing more can be told before there are `neededBytes`. */
  | { readonly kind: 'short'; readonly neededBytes: number }
  /** No CONNECT that the broker would take: for it to answer. */
  | { readonly kind: 'not-connect' }
  /** A session that ends with its connection, or one whose id the broker chooses: it is at home wherever it is. */
  | { readonly kind: 'anywhere' }
  /** A session that may outlive its connection, or that may be there already: it lives in the home of its client id. */
  | { readonly kind: 'persistent'; readonly clientId: string };

/**
 * Looks at the first bytes of a connection, as far as the client id of its CONNECT:
 *
 * ```
 *   fixed header    0x10 | remaining length (1 to 4)
 *   "MQTT" (6) | level (1: 4 or 5) | flags (1, clean start: 0x02) | keep alive (2)
 *   5.0:            properties length (1 to 4) | properties, among them 0x11 session expiry (4)
 *   client id (2 + length) ...
 * ```
 *
 * More bytes never change what was told. It is not for this to judge a packet: whatever is wrong with one is found where it is
 * served. O(1) until all of these bytes are there, then O(properties). `maxPacketBytes`: a longer packet is refused unseen.
 */
export function peekConnect(bytes: Uint8Array, maxPacketBytes: number): ConnectPeek {
  const available = bytes.length;
  if (available === 0) return short(2);
  if (bytes[0] !== CONNECT) return NOT_CONNECT;
  const head = variableByteInteger(bytes, 1, available);
  if (head === BROKEN) return NOT_CONNECT;
  if (head === CUT) return short(available + 1);
  const bodyAt = 1 + lengthOf(head);
  const packetEnd = bodyAt + valueOf(head);
  if (packetEnd > maxPacketBytes) return NOT_CONNECT;

  const nameSeen = Math.min(PROTOCOL_NAME.length, available - bodyAt);
  for (let i = 0; i < nameSeen; i++) if (bytes[bodyAt + i] !== PROTOCOL_NAME[i]) return NOT_CONNECT;
  const propertiesAt = bodyAt + FIXED_BYTES;
  if (propertiesAt > packetEnd) return NOT_CONNECT;
  if (available < propertiesAt) return short(propertiesAt);
  const level = bytes[bodyAt + PROTOCOL_NAME.length];
  const isCleanStart = (bytes[bodyAt + PROTOCOL_NAME.length + 1]! & CLEAN_START) !== 0;
  if (level === 4) return isCleanStart ? ANYWHERE : peekClientId(bytes, propertiesAt, packetEnd);
  if (level !== 5) return NOT_CONNECT;

  const properties = variableByteInteger(bytes, propertiesAt, Math.min(available, packetEnd));
  if (properties === BROKEN || (properties === CUT && available >= packetEnd)) return NOT_CONNECT;
  if (properties === CUT) return short(available + 1);
  const firstAt = propertiesAt + lengthOf(properties);
  const clientIdAt = firstAt + valueOf(properties);
  if (clientIdAt + 2 > packetEnd) return NOT_CONNECT;
  if (available < clientIdAt + 2) return short(clientIdAt + 2);
  if (!isCleanStart) return peekClientId(bytes, clientIdAt, packetEnd);
  const expirySec = sessionExpiryOf(bytes, firstAt, clientIdAt);
  if (expirySec === undefined) return NOT_CONNECT;
  return expirySec === 0 ? ANYWHERE : peekClientId(bytes, clientIdAt, packetEnd);
}

function peekClientId(bytes: Uint8Array, at: number, packetEnd: number): ConnectPeek {
  if (at + 2 > packetEnd) return NOT_CONNECT;
  if (bytes.length < at + 2) return short(at + 2);
  const end = at + 2 + u16(bytes, at);
  if (end > packetEnd) return NOT_CONNECT;
  if (bytes.length < end) return short(end);
  // An id that the broker chooses is one whose home is its own thread [MQTT-3.1.3-6].
  if (end === at + 2) return ANYWHERE;
  return {
    kind: 'persistent',
    clientId: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8', at + 2, end),
  };
}

/** 0 where there is none; undefined where something is that cannot be a property of CONNECT. */
function sessionExpiryOf(bytes: Uint8Array, start: number, end: number): number | undefined {
  let expirySec = 0;
  let at = start;
  while (at < end) {
    const id = bytes[at++];
    switch (id) {
      case 0x11: // session expiry interval
        if (at + 4 > end) return undefined;
        expirySec = u16(bytes, at) * 65_536 + u16(bytes, at + 2);
        at += 4;
        break;
      case 0x27: // maximum packet size
        at += 4;
        break;
      case 0x21: // receive maximum
      case 0x22: // topic alias maximum
        at += 2;
        break;
      case 0x17: // request problem information
      case 0x19: // request response information
        at += 1;
        break;
      case 0x26: // user property: two strings
        at = behindField(bytes, behindField(bytes, at, end), end);
        break;
      case 0x15: // authentication method
      case 0x16: // authentication data
        at = behindField(bytes, at, end);
        break;
      default:
        return undefined;
    }
  }
  return at === end ? expirySec : undefined;
}

/** Where a field with two bytes of length before it ends; past `end` where it does not fit. */
function behindField(bytes: Uint8Array, at: number, end: number): number {
  return at + 2 > end ? end + 1 : at + 2 + u16(bytes, at);
}

/** Value and length in one number, so that nothing is allocated: `value * 8 + length`; else `CUT` or `BROKEN`. */
function variableByteInteger(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (let i = 0; i < 4; i++) {
    if (at + i >= end) return CUT;
    const byte = bytes[at + i]!;
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 128) return value * 8 + i + 1;
  }
  return BROKEN;
}

function lengthOf(packed: number): number {
  return packed % 8;
}

function valueOf(packed: number): number {
  return Math.floor(packed / 8);
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function short(neededBytes: number): ConnectPeek {
  return { kind: 'short', neededBytes };
}

const CONNECT = 0x10;
const CLEAN_START = 0x02;
const PROTOCOL_NAME = Uint8Array.of(0, 4, 0x4d, 0x51, 0x54, 0x54);
/** Protocol name, level, flags, keep alive. */
const FIXED_BYTES = 10;
const CUT = -1;
const BROKEN = -2;
const NOT_CONNECT: ConnectPeek = { kind: 'not-connect' };
const ANYWHERE: ConnectPeek = { kind: 'anywhere' };
