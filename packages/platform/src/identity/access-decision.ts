/**
 * What identity decides about a client, in the shape of the broker's Authorizer.
 *
 * The broker knows no devices and identity knows no broker: the two meet in the composition root, by structure.
 */
export interface AccessRequest {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
}

export interface AccessGranted {
  readonly id: string;
  readonly sessionNamespace: string;
  mayPublish(topic: string): boolean;
  maySubscribe(filter: string): boolean;
}

export interface AccessRefused {
  readonly refused: 'bad-credentials' | 'server-busy';
  /** For the operator, not for the client. */
  readonly reason: string;
}
