/**
 * What identity decides about a client, in the shape of the broker's Authorizer.
 *
 * The broker knows no devices and identity knows no broker: the two meet in the composition root, by structure.
 */
export interface AccessRequest {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
  readonly certificate: ShownCertificate | undefined;
}

/** The certificate that a client showed in its TLS handshake, by which it proved that it has the key. */
export interface ShownCertificate {
  readonly der: Uint8Array;
  /** True when it was issued, directly or not, by an authority that the listener trusts, and is in its time. */
  readonly verified: boolean;
}

export interface AccessGranted {
  readonly id: string;
  readonly sessionNamespace: string;
  /** Of the certificate that it showed. */
  readonly credentialId?: string | undefined;
  /** How long its sessions may outlive their connections, s; absent: as long as those of all. */
  readonly maxSessionExpirySec?: number | undefined;
  mayPublish(topic: string): boolean;
  /** Absent: wherever it may publish. */
  mayRetain?(topic: string): boolean;
  maySubscribe(filter: string): boolean;
  /** Whether a message on this topic may be delivered to it, whatever filter it came by. */
  mayReceive(topic: string): boolean;
}

export interface AccessRefused {
  readonly refused: 'bad-credentials' | 'not-authorized' | 'server-busy';
  /** For the operator, not for the client. */
  readonly reason: string;
}

/** One enhanced authentication (MQTT 5.0, section 4.12) or re-authentication under way. */
export interface AccessExchange {
  /** Takes the authentication data of CONNECT or AUTH. Each call waits for the one before. */
  step(data: Uint8Array | undefined): Promise<AccessStep>;
}

export type AccessStep =
  /** To be sent to the client, which answers it with the next step. */
  | { readonly challenge: Uint8Array }
  /** Let in; `data` is the server's own proof. */
  | { readonly granted: AccessGranted; readonly data: Uint8Array | undefined }
  | AccessRefused;
