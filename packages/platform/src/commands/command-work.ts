import type { Actor } from '../audit/actor.ts';
import type { SelsynError } from '../kernel/errors.ts';
import type { ClientLink } from '../state/client-link.ts';
import type { Command, CommandDraft, CommandRecord } from './command.ts';
import type { DeviceWord } from './command-answers.ts';
import type { AnswerOutcome } from './command-lifecycle.ts';
import type { Flavour } from './command-topics.ts';

/** Who does it, and the group that the device stands in: for the audit trail. */
export interface Doer {
  readonly actor: Actor;
  readonly group: string;
}

/** A device listens: send what waits for it. */
export interface SendOrder {
  readonly device: string;
  /** It listens anew: what it has not answered goes out once more. */
  readonly again: boolean;
  /** Go on behind this command; undefined: from the first. */
  readonly after?: string | undefined;
}

export interface AnswerWork {
  readonly kind: 'answer';
  readonly device: string;
  /** Its id, or its number for those who know it by that. */
  readonly command: string;
  readonly flavour: Flavour;
  readonly word: DeviceWord;
  readonly from: ClientLink;
}

/** What the commands are asked to do. */
export type CommandWork =
  | { readonly kind: 'create'; readonly draft: CommandDraft; readonly doer: Doer }
  | { readonly kind: 'cancel'; readonly device: string; readonly id: string; readonly doer: Doer }
  | { readonly kind: 'send'; readonly orders: readonly SendOrder[] }
  | { readonly kind: 'delivered'; readonly ids: readonly string[] }
  | AnswerWork
  | { readonly kind: 'expire'; readonly limit: number };

export type CommandResult =
  /** `isNew` false: it was there, with this idempotency key. */
  | { readonly kind: 'created'; readonly command: Command; readonly isNew: boolean }
  | { readonly kind: 'changed'; readonly record: CommandRecord }
  | { readonly kind: 'refused'; readonly error: SelsynError }
  /** What is still to be sent. */
  | { readonly kind: 'sent'; readonly rest: readonly SendOrder[] }
  | { readonly kind: 'answered'; readonly outcome: AnswerOutcome | 'unknown' }
  /** So many were due. */
  | { readonly kind: 'expired'; readonly count: number }
  | { readonly kind: 'done' };

/** Whoever wants to know what became durable. Must not throw. */
export interface CommandFollower {
  finished(record: CommandRecord): void;
  /** Something has to be looked at by then. */
  due(atMs: number): void;
  /** The device listens, and more waits for it than was sent at once. */
  waiting(device: string): void;
}
