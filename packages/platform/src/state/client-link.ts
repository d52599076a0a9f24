/** A client's session, as a gateway thread knows it. Plain data: it crosses threads. */
export interface ClientLink {
  /** The gateway thread that has the connection. */
  readonly gateway: number;
  /** The same for all connections of one client, see ClientRequest. */
  readonly client: string;
}
