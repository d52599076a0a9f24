import { mergeLayers } from './shadow-merge.ts';
import type { JsonObject, ShadowDocument } from './shadow-document.ts';
import { deltaOf } from './shadow-delta.ts';

/** What the device is to be: what is wanted for it, over what it inherits. */
export function effectiveDesired(document: ShadowDocument): JsonObject | undefined {
  return mergeLayers(document.inherited, document.desired);
}

/** What is desired and not reported. Undefined: nothing. */
export function documentDelta(document: ShadowDocument): JsonObject | undefined {
  return deltaOf(effectiveDesired(document), document.reported);
}
