import type { Actor } from '../audit/actor.ts';
import type { Command, CommandDraft } from './command.ts';
import type { RequestHook } from './requests/request-hook.ts';
import type { Doer } from './command-work.ts';

/** Calls between threads have a deadline of 10 s: who wants to wait for longer asks again. */
export const MAX_WAIT_MS = 7_000;

export interface SendCommandCall {
  readonly draft: CommandDraft;
  readonly doer: Doer;
  /** Wait for its end for so long at most; 0 to MAX_WAIT_MS. */
  readonly waitMs: number;
}

/** What the API asks of the commands' thread. */
export type CommandCalls = {
  /**
   * Gives a device a command. `isNew` false: it was given before, with the same idempotency key.
   * @throws SelsynError `command.queue-full`, `command.key-used`, `request.invalid`, `state.busy`
   */
  readonly sendCommand: (call: SendCommandCall) => Promise<{ readonly command: Command; readonly isNew: boolean }>;
  /** The command as it is once it has ended, or the time is over. @throws SelsynError `command.not-found`, `state.busy` */
  readonly awaitCommand: (call: { readonly device: string; readonly id: string; readonly waitMs: number }) => Promise<Command>;
  /** The server is about to stop: who waits for the end of a command is answered now, and nobody waits from then on. */
  readonly stopWaiting: (call: null) => Promise<null>;
  /** @throws SelsynError `command.not-found`, `command.finished` */
  readonly cancelCommand: (call: { readonly device: string; readonly id: string; readonly doer: Doer }) => Promise<Command>;
  /** @throws SelsynError `request.invalid` */
  readonly putRequestHook: (call: {
    readonly method: string;
    readonly url: string;
    readonly actor: Actor;
  }) => Promise<RequestHook>;
  /** @throws SelsynError `request-hook.not-found` */
  readonly removeRequestHook: (call: { readonly method: string; readonly actor: Actor }) => Promise<null>;
};
