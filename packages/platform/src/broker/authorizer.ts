/** What the broker knows of a client before it lets it in. */
export interface ConnectRequest {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
  readonly remoteAddress: string;
  readonly certificate: ClientCertificate | undefined;
}

/** The certificate that a client showed in its TLS handshake. */
export interface ClientCertificate {
  readonly der: Uint8Array;
  /** True when it was issued, directly or not, by an authority that the listener trusts, and is in its time. */
  readonly verified: boolean;
}

/** A client that was let in. The questions are asked once for each topic of a connection and must not block. */
export interface Principal {
  /** Names who this is in logs and metrics: the device id, or `anonymous`. */
  readonly id: string;
  /** Sessions are kept apart by it: clients of two namespaces never take over each other's sessions. */
  readonly sessionNamespace: string;
  /** Names the credential that it showed, where there is one to tell from others: a certificate's id. */
  readonly credentialId?: string | undefined;
  /** How long its sessions may outlive their connections, s; absent: as long as those of all. */
  readonly maxSessionExpirySec?: number | undefined;
  mayPublish(topic: string): boolean;
  /** Whether what it publishes on this topic may be retained. Absent: wherever it may publish. */
  mayRetain?(topic: string): boolean;
  maySubscribe(filter: string): boolean;
  /** Whether a message on this topic may be delivered to it, whatever filter it came by. */
  mayReceive(topic: string): boolean;
}

/** Whether a client may leave a message behind for those who subscribe later. */
export function mayRetain(principal: Pick<Principal, 'mayRetain'>, topic: string): boolean {
  return principal.mayRetain === undefined || principal.mayRetain(topic);
}

/** Reason codes of MQTT 5; the broker maps them for 3.1.1. */
export interface Refusal {
  readonly refused: 'bad-credentials' | 'not-authorized' | 'identifier-not-valid' | 'server-busy' | 'banned';
  /** For the log line and the operator, not for the client. */
  readonly reason: string;
}

/** Decides who may connect. Knows devices, so that the broker need not. */
export interface Authorizer {
  authenticate(request: ConnectRequest): Promise<Principal | Refusal>;
  /**
   * What a client that was let in may do now, if it may still be here. Absent: it may do what it could for as long as it is connected.
   * The answer is of the same id and namespace.
   */
  renew?(principal: Principal): Promise<Principal | Refusal>;
  /** Begins an enhanced authentication (MQTT 5.0, section 4.12). Undefined: the method is not known here. */
  beginExchange?(method: string, request: ConnectRequest): AuthExchange | undefined;
}

/** One enhanced authentication, or re-authentication, under way: a challenge and a response, or several. */
export interface AuthExchange {
  /** Takes the authentication data of CONNECT or AUTH. */
  step(data: Uint8Array | undefined): Promise<AuthStep>;
}

export type AuthStep =
  /** AUTH with Continue authentication (0x18) and this data. */
  | { readonly challenge: Uint8Array }
  /** Let in; `data` goes into the CONNACK, or the AUTH that ends a re-authentication. */
  | { readonly granted: Principal; readonly data: Uint8Array | undefined }
  | Refusal;
