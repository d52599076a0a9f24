import type { ShadowDocument, ShadowPatch } from './shadow-document.ts';
import type { ShadowFault } from './shadow-faults.ts';

/** What a rule is told besides the document. */
export interface RuleContext {
  readonly nowMs: number;
  /** What the document gets if it is written: one more than the shadow ever had. */
  readonly nextVersion: number;
}

/** What becomes of a shadow. */
export type ShadowOutcome =
  /**
   * It is written, as the next version and updated now, whatever the document says of these. `written` is what the answer echoes and the
   * history keeps; the whole document is checked for its size, its desired state by the schema of the type.
   */
  | { readonly kind: 'put'; readonly document: ShadowDocument; readonly written: ShadowPatch }
  /** Also where there was none: refused then, as AWS does. */
  | { readonly kind: 'deleted' }
  | { readonly kind: 'refused'; readonly fault: ShadowFault }
  /** Nothing happens: no version, no message. */
  | { readonly kind: 'unchanged' };

/** A pure function from what a shadow is to what it becomes. Undefined: there is none. */
export type ShadowRule = (document: ShadowDocument | undefined, context: RuleContext) => ShadowOutcome;
