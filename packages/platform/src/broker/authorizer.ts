/** What the broker knows of a client before it lets it in. */
export interface ConnectRequest {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
  readonly remoteAddress: string;
  /** DER of the client's certificate, where TLS gave one. */
  readonly certificate: Uint8Array | undefined;
}

/** A client that was let in. Both questions are asked once for each topic of a connection and must not block. */
export interface Principal {
  /** Names who this is in logs and metrics: the device id, or `anonymous`. */
  readonly id: string;
  /** Sessions are kept apart by it: clients of two namespaces never take over each other's sessions. */
  readonly sessionNamespace: string;
  mayPublish(topic: string): boolean;
  maySubscribe(filter: string): boolean;
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
}
