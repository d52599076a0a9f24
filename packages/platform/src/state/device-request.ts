import type { ClientLink } from './client-link.ts';

/** What a client published to a topic that the state answers. Plain data. */
export interface DeviceRequest {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly clientId: string;
  /** Who it is: a device id, for a device. Whether it may publish there was checked. */
  readonly principalId: string;
  readonly from: ClientLink;
}

/** A connected client has subscriptions to topics of the state: it made them now, or came back to a session that has them. */
export interface Listening {
  /** Those of them that the state wants to hear of, see `isStateFilter`; never empty. */
  readonly filters: readonly string[];
  readonly clientId: string;
  readonly principalId: string;
  readonly from: ClientLink;
  /** It came back: what was published meanwhile waits in its session. */
  readonly resumed: boolean;
}
