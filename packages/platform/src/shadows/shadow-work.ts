import type { Actor } from '../audit/actor.ts';
import type { ShadowDocument, ShadowKey } from './shadow-document.ts';
import type { ShadowFault } from './shadow-faults.ts';
import type { ShadowRule } from './shadow-rule.ts';

/** Who wrote something, as the history says it: `device:X`, `user:X`, `api-key:X`, `system:X`. */
export type Author = string;

/** A change of one shadow. */
export interface ChangeWork extends ShadowKey {
  readonly kind: 'change';
  readonly rule: ShadowRule;
  readonly author: Author;
  /** Only if this is its version, that of a shadow that was deleted included; 0: only if there never was one. */
  readonly expectedVersion?: number | undefined;
  /** Comes back in every answer and event of the change. */
  readonly clientToken?: string | undefined;
  /** The change is written to the audit trail too. */
  readonly actor?: Actor | undefined;
  /** A refusal is published to `{topic}/rejected`: for requests by MQTT. */
  readonly refuseOn?: string | undefined;
}

/** Reads one shadow as it is between the changes that come before and after; the answer is published where a topic is given. */
export interface GetWork extends ShadowKey {
  readonly kind: 'get';
  readonly clientToken?: string | undefined;
  /** Of the request: the answer goes to `{topic}/accepted` or `{topic}/rejected`. */
  readonly answerOn?: string | undefined;
}

/** Publishes the deltas of shadows of a device once more. */
export interface ResendWork {
  readonly kind: 'resend';
  readonly device: string;
  /** Undefined: of all its named ones. */
  readonly shadow: string | undefined;
}

/** Takes away what is too old: history, and what is known of shadows that were deleted long ago. */
export interface SweepWork {
  readonly kind: 'sweep';
}

export type ShadowWork = ChangeWork | GetWork | ResendWork | SweepWork;

export type ShadowResult =
  | {
      readonly kind: 'put';
      readonly before: ShadowDocument | undefined;
      readonly document: ShadowDocument;
      /** What went to `update/accepted`. */
      readonly accepted: string;
    }
  | {
      readonly kind: 'deleted';
      readonly version: number;
      /** What went to `delete/accepted`. */
      readonly accepted: string;
    }
  | { readonly kind: 'read'; readonly document: ShadowDocument; readonly accepted: string }
  /** `version`: the one that it has, 0 where there never was one. */
  | { readonly kind: 'refused'; readonly fault: ShadowFault; readonly version: number; readonly rejected: string }
  | { readonly kind: 'unchanged'; readonly document: ShadowDocument | undefined }
  /** Of `resend` the deltas that went out, of `sweep` the rows that went. */
  | { readonly kind: 'done'; readonly count: number };
