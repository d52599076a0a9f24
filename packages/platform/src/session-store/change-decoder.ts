import type { QoS } from '@selsyn/wire/mqtt/packets.ts';
import { type ByteReader, corrupt } from './byte-reader.ts';
import {
  HOLDER_IDENTIFIERS,
  HOLDER_LEAST_BYTES,
  HOLDER_QOS_2,
  HOLDER_RETAIN,
  HOLDER_SHARE,
  KIND,
  MARKED_HELD,
  MARKED_MESSAGE,
  OPTIONS_NO_LOCAL,
  OPTIONS_QOS,
  OPTIONS_RETAIN_AS_PUBLISHED,
  SESSION_FRESH,
  SESSION_OFFLINE,
  SESSION_V5,
  SESSION_WILL,
} from './change-format.ts';
import type {
  Holder,
  MessageMark,
  SessionNumber,
  StoreChange,
  StoredMessage,
  StoredSession,
  StoredSubscription,
} from './session-store.ts';

/**
 * Reads a change in the layout of change-format.ts; `kind` was read already, without its bit 7.
 *
 * @throws SelsynError `data.corrupt` when the bytes are not exactly one change of a known kind.
 */
export function decodeChange(from: ByteReader, kind: number): StoreChange {
  const change = decodeFields(from, kind);
  if (!from.isAtEnd) throw corrupt('bytes follow it');
  return change;
}

function decodeFields(from: ByteReader, kind: number): StoreChange {
  switch (kind) {
    case KIND.message:
      return { kind: 'message', message: decodeMessage(from), holders: decodeHolders(from) };
    case MARKED_MESSAGE:
      return { kind: 'message', message: decodeMessage(from), holders: decodeHolders(from), mark: decodeMark(from) };
    case KIND.held:
      return { kind: 'held', message: from.varint(), holders: decodeHolders(from) };
    case MARKED_HELD:
      return { kind: 'held', message: from.varint(), holders: decodeHolders(from), mark: decodeMark(from) };
    case KIND.released:
      return { kind: 'released', session: decodeNumber(from), packetId: from.u16() };
    case KIND.settled:
      return { kind: 'settled', session: decodeNumber(from), packetId: from.u16() };
    case KIND.received:
      return { kind: 'received', session: decodeNumber(from), packetId: from.u16() };
    case KIND.completed:
      return { kind: 'completed', session: decodeNumber(from), packetId: from.u16() };
    case KIND.session:
      return decodeSession(from);
    case KIND['session-removed']:
      return { kind: 'session-removed', session: decodeNumber(from) };
    case KIND.subscribed: {
      const session = decodeNumber(from);
      const options = decodeOptions(from);
      return { kind: 'subscribed', session, filter: from.text(), options };
    }
    case KIND.unsubscribed:
      return { kind: 'unsubscribed', session: decodeNumber(from), filter: from.text() };
    case KIND.retained: {
      const expiresAtMs = from.f64();
      const topic = from.text();
      return { kind: 'retained', topic, packet: from.block(), expiresAtMs };
    }
    case KIND['retained-removed']:
      return { kind: 'retained-removed', topic: from.text() };
    case KIND.marked:
      return { kind: 'marked', mark: decodeMark(from), group: from.text() };
    case KIND.unmarked:
      return { kind: 'unmarked', mark: decodeMark(from) };
    default:
      throw corrupt(`it has the unknown kind ${kind}`);
  }
}

function decodeNumber(from: ByteReader): SessionNumber {
  const number = from.varint();
  if (number === 0) throw corrupt('no session has the number 0');
  return number as SessionNumber;
}

function decodeMark(from: ByteReader): MessageMark {
  const session = decodeNumber(from);
  const packetId = from.u16();
  return { origin: from.text(), session, packetId };
}

function decodeMessage(from: ByteReader): StoredMessage {
  const number = from.varint();
  const expiresAtMs = from.f64();
  return { number, packet: from.block(), expiresAtMs };
}

function decodeSession(from: ByteReader): StoreChange {
  const number = decodeNumber(from);
  const flags = decodeFlags(from, SESSION_FRESH | SESSION_V5 | SESSION_OFFLINE | SESSION_WILL);
  const expirySec = from.f64();
  const offlineSinceMs = (flags & SESSION_OFFLINE) === 0 ? undefined : from.f64();
  const will = (flags & SESSION_WILL) === 0 ? undefined : { delaySec: from.f64(), packet: from.block() };
  const session: StoredSession = {
    number,
    clientId: from.text(),
    namespace: from.text(),
    principalId: from.text(),
    version: (flags & SESSION_V5) === 0 ? 4 : 5,
    expirySec,
    offlineSinceMs,
    will,
  };
  return { kind: 'session', session, fresh: (flags & SESSION_FRESH) !== 0 };
}

function decodeOptions(from: ByteReader): StoredSubscription {
  const flags = decodeFlags(from, OPTIONS_QOS | OPTIONS_NO_LOCAL | OPTIONS_RETAIN_AS_PUBLISHED);
  const qos = flags & OPTIONS_QOS;
  if (qos > 2) throw corrupt('there is no QoS 3');
  return {
    qos: qos as QoS, // 0, 1 or 2, as just seen
    noLocal: (flags & OPTIONS_NO_LOCAL) !== 0,
    retainAsPublished: (flags & OPTIONS_RETAIN_AS_PUBLISHED) !== 0,
    identifier: from.varint(),
  };
}

function decodeHolders(from: ByteReader): readonly Holder[] {
  const count = from.count(HOLDER_LEAST_BYTES);
  const holders: Holder[] = [];
  for (let i = 0; i < count; i += 1) {
    const session = decodeNumber(from);
    const packetId = from.u16();
    const flags = decodeFlags(from, HOLDER_QOS_2 | HOLDER_RETAIN | HOLDER_IDENTIFIERS | HOLDER_SHARE);
    holders.push({
      session,
      packetId,
      qos: (flags & HOLDER_QOS_2) === 0 ? 1 : 2,
      retain: (flags & HOLDER_RETAIN) !== 0,
      identifiers: (flags & HOLDER_IDENTIFIERS) === 0 ? undefined : decodeIdentifiers(from),
      share: (flags & HOLDER_SHARE) === 0 ? undefined : from.text(),
    });
  }
  return holders;
}

function decodeIdentifiers(from: ByteReader): readonly number[] {
  const count = from.count(1);
  const identifiers: number[] = [];
  for (let i = 0; i < count; i += 1) identifiers.push(from.varint());
  return identifiers;
}

function decodeFlags(from: ByteReader, known: number): number {
  const flags = from.u8();
  if ((flags & ~known) !== 0) throw corrupt('it has unknown flags');
  return flags;
}
