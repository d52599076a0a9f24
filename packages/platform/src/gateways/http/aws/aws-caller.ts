import type { Actor } from '../../../audit/actor.ts';
import type { Caller } from '../../../people/caller.ts';

/** What a device may do, by its policies. */
export interface TopicAccess {
  readonly id: string;
  mayPublish(topic: string): boolean;
  mayRetain(topic: string): boolean;
  maySubscribe(filter: string): boolean;
  mayReceive(topic: string): boolean;
}

/** Who sends a request: a device, or a program that has roles. */
export type AwsCaller =
  | { readonly kind: 'device'; readonly access: TopicAccess; readonly actor: Actor }
  | { readonly kind: 'program'; readonly caller: Caller; readonly actor: Actor };
