import type { DeviceRequest, Listening } from './device-request.ts';
import type { OutgoingMessage } from './outgoing.ts';

/*
 * Between a gateway thread and the thread of the state, each in one message a turn of its event loop:
 *
 *   gateway ──▶ state   requests of clients, who listens, who has gone, what was acknowledged
 *   state ──▶ gateway   messages to go out, in order; then which requests are done
 */

/** Plain data. */
export interface ToState {
  /** By their numbers, given by the gateway. */
  readonly requests: readonly (readonly [number, Omit<DeviceRequest, 'from'>, client: string])[];
  /** In the order in which it happened. */
  readonly audience: readonly AudienceChange[];
}

export type AudienceChange =
  | { readonly kind: 'listening'; readonly listening: Omit<Listening, 'from'>; readonly client: string }
  | { readonly kind: 'gone'; readonly client: string }
  | { readonly kind: 'delivered'; readonly receipt: string; readonly client: string };

/** Plain data. */
export interface FromState {
  readonly messages: readonly OutgoingMessage[];
  /** Requests that are durable, or were refused by a message. */
  readonly done: readonly number[];
  /** Requests that could not be done. */
  readonly failed: readonly number[];
}
