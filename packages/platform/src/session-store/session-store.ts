import type { ProtocolVersion, QoS } from '@selsyn/wire/mqtt/packets.ts';

/** Numbers a persistent session within one store. Never 0; a session that begins anew gets a new one. */
export type SessionNumber = number & { readonly brand: 'SessionNumber' };
/** Counts the changes that were written to one store, from 1. */
export type StoreTicket = number & { readonly brand: 'StoreTicket' };

/** What is known of a persistent session besides its subscriptions and messages. */
export interface StoredSession {
  readonly number: SessionNumber;
  readonly clientId: string;
  /** Principal.sessionNamespace and Principal.id of the client that opened it. */
  readonly namespace: string;
  readonly principalId: string;
  readonly version: ProtocolVersion;
  /** How long it outlives its connection, s. */
  readonly expirySec: number;
  /** Wall time at which its connection ended, ms; undefined while it is connected. */
  readonly offlineSinceMs: number | undefined;
  /** Published when the connection ends without DISCONNECT 0x00. */
  readonly will: StoredWill | undefined;
}

export interface StoredWill {
  /** A PUBLISH of MQTT 5.0 with packet id 1 where it has one. */
  readonly packet: Uint8Array;
  readonly delaySec: number;
}

export interface StoredSubscription {
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** 0: none. */
  readonly identifier: number;
}

/** That one session has still to be sent a message, or to acknowledge it. */
export interface Holder {
  readonly session: SessionNumber;
  /** The packet id under which it was or will be sent: fixed from the start, so that a QoS 2 message is known again. */
  readonly packetId: number;
  readonly qos: 1 | 2;
  readonly retain: boolean;
  readonly identifiers: readonly number[] | undefined;
  /** `$share/{group}/{filter}` through which it came; undefined for an ordinary subscription. */
  readonly share: string | undefined;
}

/**
 * One change of what must outlive the process. Changes are facts about the whole: a store may apply them to tables (SQL,
 * Redis), or write them down and read them again.
 */
export type StoreChange =
  /** Adds or describes anew. `fresh`: with no subscriptions, messages or packet ids, whatever it had. */
  | { readonly kind: 'session'; readonly session: StoredSession; readonly fresh: boolean }
  | { readonly kind: 'session-removed'; readonly session: SessionNumber }
  | {
      readonly kind: 'subscribed';
      readonly session: SessionNumber;
      readonly filter: string;
      readonly options: StoredSubscription;
    }
  | { readonly kind: 'unsubscribed'; readonly session: SessionNumber; readonly filter: string }
  /** A message for at least one session. It goes when no session holds it any more. A session gets its messages in this order. */
  | {
      readonly kind: 'message';
      readonly message: StoredMessage;
      readonly holders: readonly Holder[];
      readonly mark?: MessageMark | undefined;
    }
  /** More holders of a message that was written before (a snapshot comes by session, and messages have many). */
  | {
      readonly kind: 'held';
      readonly message: number;
      readonly holders: readonly Holder[];
      readonly mark?: MessageMark | undefined;
    }
  /**
   * A message of this mark is stored here for a member of this shared group, or for whoever else subscribes (''). What has a mark
   * in `message` or `held` says so of all its holders, in the same step as it stores them.
   */
  | { readonly kind: 'marked'; readonly mark: MessageMark; readonly group: string }
  /** The packet id of the mark is to be used for another message. */
  | { readonly kind: 'unmarked'; readonly mark: MessageMark }
  /** The client has a QoS 2 message (PUBREC): from now on it is sent PUBREL, and the message itself is needed no more. */
  | { readonly kind: 'released'; readonly session: SessionNumber; readonly packetId: number }
  /** The session holds the message no longer: acknowledged, expired or given to another. */
  | { readonly kind: 'settled'; readonly session: SessionNumber; readonly packetId: number }
  /** A QoS 2 message of the client was taken (PUBREC), until its PUBREL ... */
  | { readonly kind: 'received'; readonly session: SessionNumber; readonly packetId: number }
  /** ... came. */
  | { readonly kind: 'completed'; readonly session: SessionNumber; readonly packetId: number }
  | { readonly kind: 'retained'; readonly topic: string; readonly packet: Uint8Array; readonly expiresAtMs: number }
  | { readonly kind: 'retained-removed'; readonly topic: string };

/**
 * By what a QoS 2 message of a persistent session is known in every thread, from when it first came until its packet id is free:
 * sent again after a crash, it must not be stored again where it was.
 */
export interface MessageMark {
  /** Key of the session that published it, */
  readonly origin: string;
  /** its number in the store of its home, */
  readonly session: SessionNumber;
  /** and the packet id that its client gave the message. */
  readonly packetId: number;
}

export interface StoredMessage {
  /** Numbers it within one store; grows. */
  readonly number: number;
  /** A PUBLISH of MQTT 5.0, packet id 1, without a topic alias. */
  readonly packet: Uint8Array;
  /** Wall time after which it is worth nothing, ms; Infinity: never. */
  readonly expiresAtMs: number;
}

/** The one who writes to a store, and whose state it keeps. */
export interface StoreOwner {
  /**
   * Called for what is stored, before `open` resolves, in an order in which each change makes sense where it stands: a session
   * before what it holds, the messages of a session in their order. Only what is left: each session is `fresh`, nothing is
   * removed, and every message is held. Byte arrays belong to the owner.
   */
  restore(change: StoreChange): void;
  /** Every change up to this ticket is durable, but for those that were reported by `onRejected`. */
  onDurable(upTo: StoreTicket): void;
  /**
   * The changes after the last settled ticket, up to this one, are not stored and never will be: `log.full`, `log.failed`.
   * The store asks for a `snapshot` as soon as it can write again, so that it comes to agree with its owner.
   */
  onRejected(upTo: StoreTicket, error: Error): void;
  /** `saturated` has become false again. */
  onDrained(): void;
  /**
   * Everything that is to be kept, as changes: for a store that keeps a history and wants to begin a new one. Each slice is
   * taken in one turn of the event loop and holds true at that moment: it has all that was written, durable or not. Other
   * changes may be written between two slices.
   * Per session one slice: `session` (fresh), its subscriptions, its messages in order (`message` the first time in this
   * snapshot, `held` after that), `released` and `received` packet ids; then slices of `marked`, and of
   * retained messages.
   */
  snapshot(): Iterator<readonly StoreChange[]>;
}

/**
 * Keeps persistent sessions and retained messages of one gateway thread beyond the end of the process.
 *
 * Write-behind with group commit: a change costs no wait; whoever owes a client an answer gives it when the ticket of the
 * change is durable. Changes become durable in the order in which they were written: a durable one proves all before it.
 */
export interface SessionStore extends AsyncDisposable {
  /**
   * Restores what is stored, then takes changes. Called once.
   * @throws SelsynError `data.corrupt`, `log.full`, `log.failed`
   */
  open(owner: StoreOwner): Promise<void>;
  /**
   * Takes a change, which the store must not keep (it encodes it at once). Never calls its owner from within.
   * @throws SelsynError `log.closed`; `log.failed` (retryable) when so much waits that nothing more is taken: see `saturated`. A
   * snapshot is asked for then too, since the owner may have done what it could not write.
   */
  write(change: StoreChange): StoreTicket;
  /** True while so much waits that whoever causes changes should stop reading its sockets, until `onDrained`. */
  readonly saturated: boolean;
}
