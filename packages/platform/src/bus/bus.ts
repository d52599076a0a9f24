import type { Slot } from './slot.ts';

/** A gateway thread or node, as its peers call it. Small integers; their order is the same everywhere. */
export type PeerId = number & { readonly brand: 'PeerId' };

/**
 * What a packet on the bus is for:
 * - `deliver`: to the subscribers of its topic;
 * - `share`: to one member of the shared group that `group` names;
 * - `retain`: to the home of its topic, which decides the order of retained messages and then tells everybody;
 * - `retained`: by the home, to everybody's copy.
 *
 * And without a message, about the one that `origin` and `mark` name:
 * - `marked`: to the home of its publisher: it is stored here, for the shared group that `group` names or for others;
 * - `unmark`: its packet id is to be used for another.
 */
export type PacketUse = 'deliver' | 'share' | 'retain' | 'retained' | 'marked' | 'unmark';

/** By what a QoS 2 message of a persistent session is known again: the session's number in its home, and the packet id. */
export interface PacketMark {
  readonly session: number;
  readonly packetId: number;
  /** Its client may have sent it before: it must not be stored again where it is. */
  readonly again: boolean;
}

/** An encoded PUBLISH of MQTT 5.0, on its way between two peers. */
export interface BusPacket {
  readonly use: PacketUse;
  /** Given to `send`, it is copied; given to `onPacket`, it is valid during the call only. */
  readonly bytes: Uint8Array;
  /** `$share/{group}/{filter}` for `share`; else ''. */
  readonly group: string;
  /** Key of the session that published it, so that no local holds everywhere; '' where there is none. */
  readonly origin: string;
  readonly mark?: PacketMark | undefined;
}

/** Whoever must know when a peer has done with a packet. */
export interface Receipt {
  /** A reason code of PUBACK: below 0x80 all sessions that must have it durably have. Called once, never from within `send`. */
  answered(code: number): void;
}

/**
 * Joins the brokers of several threads or nodes.
 *
 * Order: what one peer is sent arrives in the order of the calls, whatever the kinds. A peer gets only the messages it announced
 * an interest in; who has which interest is for the broker to match. Nothing is stored: a peer that is not there misses it.
 */
export interface Bus extends AsyncDisposable {
  /** This end's own name among its peers. */
  readonly self: PeerId;
  /** Starts to hand over what the peers send. Called once, before anything else. */
  attach(listener: BusListener): void;
  /** Where the sessions and retained messages of a slot live; every peer says the same. */
  homeOf(slot: Slot): PeerId;
  /**
   * Tells all peers that messages on topics of this filter (a `$share/…` one: for this group) are wanted here, by how many; 0: no
   * more. Once for each change.
   */
  announce(filter: string, weight: number): void;
  /**
   * Resolves once all peers have taken in what was announced until now, and what they had sent before is here: who then
   * publishes through a peer is heard. What had been sent to a peer before this was called, by whomever, it has heard too. A peer that
   * does not answer in a second is not waited for.
   */
  settled(): Promise<void>;
  /**
   * Sends a packet to a peer. With a receipt, it is answered exactly once, also when the peer goes.
   * @returns false when the peer lags so far that the packet was dropped: the receipt is not answered then.
   */
  send(peer: PeerId, packet: BusPacket, receipt?: Receipt): boolean;
  /** `send` to all peers, without receipts. False when one of them missed it. */
  sendAll(packet: BusPacket): boolean;
  /** True while a peer lags: whoever publishes should pause until `onDrained`. */
  readonly saturated: boolean;
  /**
   * Tells all peers that a session was opened here.
   * @returns its stamp: of two sessions with one key, in whatever peers, the one with the larger stamp was opened later.
   */
  openSession(key: string): number;
  /** Tells all peers to close what this principal has open. */
  disconnectPrincipal(principalId: string): void;
}

export interface BusListener {
  onInterest(peer: PeerId, filter: string, weight: number): void;
  /** From a peer. `answer` is there where the sender wants a receipt, and must be called once with its code, at any time, in any order. */
  onPacket(packet: BusPacket, answer: ((code: number) => void) | undefined, from: PeerId): void;
  onSessionOpened(key: string, stamp: number): void;
  onDisconnectPrincipal(principalId: string): void;
  /** The peer has gone, its interests with it. */
  onPeerGone(peer: PeerId): void;
  onDrained(): void;
}
