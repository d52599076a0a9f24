import type { ClientLink } from './client-link.ts';

/** A message of the platform to devices, at QoS 1, not retained. Plain data. */
export interface OutgoingMessage {
  /** Whose it is: those of one device go out in the order in which they were given, whatever thread its clients are in. */
  readonly device: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly properties?: OutgoingProperties;
  /** Only this client gets it, while it is connected and as far as it subscribes. Undefined: whoever subscribes. */
  readonly to?: ClientLink;
  /**
   * With `to`: the domains are told once, by `delivered` with this text, that the client has acknowledged it. Never told: it was not
   * connected, did not subscribe, or has not acknowledged it yet.
   */
  readonly receipt?: string;
}

/** Of MQTT 5; clients of 3.1.1 do not see them. */
export interface OutgoingProperties {
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
  readonly contentType?: string;
  /** The broker gives it up after this time. */
  readonly expirySec?: number;
  readonly userProperties?: readonly (readonly [string, string])[];
}
