import type { ByteWriter } from './byte-writer.ts';
import {
  HOLDER_IDENTIFIERS,
  HOLDER_QOS_2,
  HOLDER_RETAIN,
  HOLDER_SHARE,
  KIND,
  MARKED_HELD,
  MARKED_MESSAGE,
  OF_SNAPSHOT,
  OPTIONS_NO_LOCAL,
  OPTIONS_RETAIN_AS_PUBLISHED,
  SESSION_FRESH,
  SESSION_OFFLINE,
  SESSION_V5,
  SESSION_WILL,
} from './change-format.ts';
import type { Holder, MessageMark, StoreChange, StoredSession } from './session-store.ts';

/** Writes a change in the layout of change-format.ts. */
export function encodeChange(into: ByteWriter, change: StoreChange, ofSnapshot: boolean): void {
  into.u8(ofSnapshot ? kindOf(change) | OF_SNAPSHOT : kindOf(change));
  switch (change.kind) {
    case 'message':
      into.varint(change.message.number);
      into.f64(change.message.expiresAtMs);
      into.block(change.message.packet);
      encodeHolders(into, change.holders);
      if (change.mark !== undefined) encodeMark(into, change.mark);
      return;
    case 'held':
      into.varint(change.message);
      encodeHolders(into, change.holders);
      if (change.mark !== undefined) encodeMark(into, change.mark);
      return;
    case 'released':
    case 'settled':
    case 'received':
    case 'completed':
      into.varint(change.session);
      return into.u16(change.packetId);
    case 'session':
      return encodeSession(into, change.session, change.fresh);
    case 'session-removed':
      return into.varint(change.session);
    case 'subscribed': {
      const { qos, noLocal, retainAsPublished, identifier } = change.options;
      into.varint(change.session);
      into.u8(qos | (noLocal ? OPTIONS_NO_LOCAL : 0) | (retainAsPublished ? OPTIONS_RETAIN_AS_PUBLISHED : 0));
      into.varint(identifier);
      return into.text(change.filter);
    }
    case 'unsubscribed':
      into.varint(change.session);
      return into.text(change.filter);
    case 'retained':
      into.f64(change.expiresAtMs);
      into.text(change.topic);
      return into.block(change.packet);
    case 'retained-removed':
      return into.text(change.topic);
    case 'marked':
      encodeMark(into, change.mark);
      return into.text(change.group);
    case 'unmarked':
      return encodeMark(into, change.mark);
  }
}

function kindOf(change: StoreChange): number {
  if (change.kind === 'message' && change.mark !== undefined) return MARKED_MESSAGE;
  if (change.kind === 'held' && change.mark !== undefined) return MARKED_HELD;
  return KIND[change.kind];
}

function encodeMark(into: ByteWriter, { session, packetId, origin }: MessageMark): void {
  into.varint(session);
  into.u16(packetId);
  into.text(origin);
}

function encodeSession(into: ByteWriter, session: StoredSession, fresh: boolean): void {
  const { offlineSinceMs, will } = session;
  into.varint(session.number);
  into.u8(
    (fresh ? SESSION_FRESH : 0) |
      (session.version === 5 ? SESSION_V5 : 0) |
      (offlineSinceMs === undefined ? 0 : SESSION_OFFLINE) |
      (will === undefined ? 0 : SESSION_WILL),
  );
  into.f64(session.expirySec);
  if (offlineSinceMs !== undefined) into.f64(offlineSinceMs);
  if (will !== undefined) {
    into.f64(will.delaySec);
    into.block(will.packet);
  }
  into.text(session.clientId);
  into.text(session.namespace);
  into.text(session.principalId);
}

function encodeHolders(into: ByteWriter, holders: readonly Holder[]): void {
  into.varint(holders.length);
  for (const { session, packetId, qos, retain, identifiers, share } of holders) {
    into.varint(session);
    into.u16(packetId);
    into.u8(
      (qos === 2 ? HOLDER_QOS_2 : 0) |
        (retain ? HOLDER_RETAIN : 0) |
        (identifiers === undefined ? 0 : HOLDER_IDENTIFIERS) |
        (share === undefined ? 0 : HOLDER_SHARE),
    );
    if (identifiers !== undefined) {
      into.varint(identifiers.length);
      for (const identifier of identifiers) into.varint(identifier);
    }
    if (share !== undefined) into.text(share);
  }
}
