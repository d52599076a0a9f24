import type { PublishSender } from './publish-sender.ts';

export interface OutboundHost {
  /** The queue of a session that ends with its connection is at its bound: it must end. Called once. */
  onOverflow(): void;
  /** `ready` has become true after it was found false. */
  onReady(): void;
  /** What the client was owed could not be stored: the connection must end. */
  onStoreFailed(): void;
}

/** The connection of a session, as its outbound half sees it. */
export interface OutboundLink {
  readonly sender: PublishSender;
  /** The client's receive maximum. */
  readonly receiveMaximum: number;
  readonly host: OutboundHost;
}
