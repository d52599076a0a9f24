import type { PublishProperties } from '@selsyn/wire/mqtt/packets.ts';
import type { Principal } from './authorizer.ts';

/** What a client published to a topic that the platform itself answers. */
export interface ClientRequest {
  /** The same for all requests of one client, and for those of no other. */
  readonly client: string;
  readonly clientId: string;
  readonly principal: Principal;
  readonly remoteAddress: string;
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** A message for the client that asked, for nobody else. */
export interface RequestAnswer {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly properties?: PublishProperties | undefined;
}

/** It was not taken, and there is no topic on which to say so: its acknowledgement says it, or its client is disconnected (3.1.1). */
export const NOT_TAKEN = 'not-taken';
export type NotTaken = typeof NOT_TAKEN;

/**
 * Answers requests. The broker acknowledges a request once its answers are on their way; they go to the connection that asked, as far
 * as it subscribes to their topics, and to no other, whoever subscribes to them.
 */
export interface RequestHandler {
  /** Whether publishing to the topic is a request: then it is no message to subscribers. Called once for each topic of a connection. */
  handles(topic: string): boolean;
  /** In the order in which they are to be sent; none where there is nothing to say. One that rejects was not taken. */
  answer(request: ClientRequest): Promise<readonly RequestAnswer[] | NotTaken>;
}
