import type { Actor } from '../audit/actor.ts';

/**
 * ```
 *            ┌──────────▶ cancelled ◀─────────┐
 * queued ─▶ sent ─▶ delivered ─▶ succeeded | failed
 *    └────────┴─────────┴──────▶ expired
 * ```
 * queued: waits for the device. sent: went out to it. delivered: the device has acknowledged the message (PUBACK), or said something
 * of it. The last four are for ever.
 */
export type CommandState = 'queued' | 'sent' | 'delivered' | 'succeeded' | 'failed' | 'expired' | 'cancelled';

export const COMMAND_STATES: readonly CommandState[] = [
  'queued',
  'sent',
  'delivered',
  'succeeded',
  'failed',
  'expired',
  'cancelled',
];

export interface StateTime {
  readonly state: CommandState;
  readonly atMs: number;
}

/** What a device said of a command. Plain JSON values. */
export interface CommandAnswer {
  readonly outcome: 'succeeded' | 'failed';
  /** Absent: it said no more. What was no JSON is a text, what was no text is `{"base64": "…"}`. */
  readonly payload?: unknown;
  /** Its words on a failure. */
  readonly reason?: string;
  readonly atMs: number;
}

export interface CommandProgress {
  readonly payload?: unknown;
  readonly atMs: number;
}

/** What becomes of a command; see CommandState. Each state is entered once, at most. */
export interface CommandRecord {
  readonly id: string;
  readonly number: number;
  readonly device: string;
  readonly name: string;
  /** Done once the device has it: no answer is awaited. */
  readonly oneWay: boolean;
  readonly state: CommandState;
  /** How often it went out. */
  readonly sends: number;
  readonly createdAtMs: number;
  /** It is not sent any more from then on; not after `expiresAtMs`. */
  readonly sendUntilMs: number;
  /** No answer counts any more from then on. */
  readonly expiresAtMs: number;
  readonly finishedAtMs?: number | undefined;
  readonly reason?: string | undefined;
  /** In their order. */
  readonly history: readonly StateTime[];
  readonly progress?: CommandProgress | undefined;
  readonly answer?: CommandAnswer | undefined;
  /** The first that came after it had expired or was cancelled: kept, and no success. */
  readonly lateAnswer?: CommandAnswer | undefined;
}

/** A command as it is shown. Plain data. */
export interface Command extends CommandRecord {
  /** A JSON value; absent: none. */
  readonly payload?: unknown;
  readonly createdBy: Pick<Actor, 'kind' | 'id' | 'name'>;
}

export interface CommandDraft {
  readonly device: string;
  readonly name: string;
  /** JSON text; undefined: none. */
  readonly payload?: string | undefined;
  readonly oneWay?: boolean | undefined;
  /**
   * With it the command is sent only as long: whoever gave it waits no longer. Undefined: until it expires.
   */
  readonly sendWithinMs?: number | undefined;
  /** Undefined: a day after its creation. */
  readonly expiresAtMs?: number | undefined;
  /** In the words in which that was asked for: the same words a little later (`now+1h`) are the same request. Undefined: as it is. */
  readonly expiresAsked?: string | undefined;
  /** The same key with the same command again creates nothing. */
  readonly idempotencyKey?: string | undefined;
}

export const MAX_PAYLOAD_BYTES = 32 * 1024;
/** Longer answers are not kept; that they came is. */
export const MAX_ANSWER_BYTES = 32 * 1024;
export const MAX_REASON_LENGTH = 1_024;
/** Commands of a device that are not finished. */
export const MAX_OPEN = 100;
export const DEFAULT_LIFETIME_MS = 86_400_000;
export const MAX_LIFETIME_MS = 365 * 86_400_000;
export const COMMAND_NAME_PATTERN = /^[A-Za-z0-9:_.-]{1,128}$/;
/** Of an idempotency key: it comes in a header. */
export const KEY_PATTERN = /^[\x21-\x7e]{1,128}$/;
export const COMMAND_ID_PATTERN = /^[0-9A-Z]{26}$/;

export function isFinished({ state }: Pick<CommandRecord, 'state'>): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'expired' || state === 'cancelled';
}
