/** Another gateway thread or node. */
export type PeerId = number & { readonly brand: 'PeerId' };

/** What a packet on the bus is for: delivery to subscribers, or the peer's copy of the retained messages. */
export type PacketUse = 'deliver' | 'retain';

/**
 * Joins the brokers of several threads or nodes.
 *
 * Order: what one peer is sent arrives in the order of the calls, whatever the kinds. A peer gets only the messages it announced
 * an interest in; who has which interest is for the broker to match. Nothing is stored: a peer that is not there misses it.
 */
export interface Bus extends AsyncDisposable {
  /** Starts to hand over what the peers send. Called once, before anything else. */
  attach(listener: BusListener): void;
  /** Tells all peers that messages on topics of this filter are wanted here, or no more. Once for each change. */
  announce(filter: string, wanted: boolean): void;
  /**
   * Resolves once all peers have taken in what was announced until now, and what they had sent before is here: who then
   * publishes through a peer is heard. A peer that does not answer in a second is not waited for.
   */
  settled(): Promise<void>;
  /**
   * Sends an encoded PUBLISH of MQTT 5.0 to a peer. `bytes` is copied.
   * @returns false when the peer lags so far that the packet was dropped.
   */
  send(peer: PeerId, use: PacketUse, bytes: Uint8Array): boolean;
  /** `send` to all peers. False when one of them missed it. */
  sendAll(use: PacketUse, bytes: Uint8Array): boolean;
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
  onInterest(peer: PeerId, filter: string, wanted: boolean): void;
  /** The bytes are valid during the call only. */
  onPacket(use: PacketUse, bytes: Uint8Array): void;
  onSessionOpened(key: string, stamp: number): void;
  onDisconnectPrincipal(principalId: string): void;
  /** The peer has gone, its interests with it. */
  onPeerGone(peer: PeerId): void;
  onDrained(): void;
}
