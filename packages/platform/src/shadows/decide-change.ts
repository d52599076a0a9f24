import type { ShadowDocument, ShadowKey, ShadowPatch } from './shadow-document.ts';
import { FAULTS, noShadow, type ShadowFault } from './shadow-faults.ts';
import type { ShadowRules } from './shadow-hooks.ts';
import { mergeLayers, withInherited } from './shadow-merge.ts';
import { encodeDocument, type RowTexts } from './shadow-row.ts';
import type { ShadowLimits } from './shadow-rules.ts';
import type { ChangeWork } from './shadow-work.ts';
import type { KnownShadow } from './working-set.ts';

/** What a change comes to. */
export type Decision =
  | { readonly kind: 'refused'; readonly fault: ShadowFault }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'deleted'; readonly version: number }
  | {
      readonly kind: 'put';
      readonly document: ShadowDocument;
      readonly texts: RowTexts;
      readonly written: ShadowPatch;
    };

export interface DecideContext {
  readonly nowMs: number;
  readonly limits: ShadowLimits;
  readonly rules: ShadowRules;
  /** A shadow may be made for it. */
  readonly deviceKnown: boolean;
}

/** What a change makes of a shadow: nothing is done yet. */
export function decideChange(work: ChangeWork, known: KnownShadow, context: DecideContext): Decision {
  const { document } = known;
  if (document === undefined && !context.deviceKnown) return refused(FAULTS.noThing);
  const version = known.row?.version ?? 0;
  if (work.expectedVersion !== undefined && work.expectedVersion !== version) return refused(FAULTS.conflict);
  const { nowMs } = context;
  const nextVersion = version + 1;
  const outcome = work.rule(document, { nowMs, nextVersion });
  if (outcome.kind === 'deleted') {
    return document === undefined ? refused(noShadow(work)) : { kind: 'deleted', version: nextVersion };
  }
  return outcome.kind === 'put' ? put(work, known, outcome.document, outcome.written, nextVersion, context) : outcome;
}

function put(
  key: ShadowKey,
  known: KnownShadow,
  made: ShadowDocument,
  written: ShadowPatch,
  version: number,
  context: DecideContext,
): Decision {
  const { nowMs, rules } = context;
  const before = known.document;
  const inherited = before === undefined && made.inherited === undefined ? rules.inheritedOf(key) : undefined;
  const full = inherited === undefined ? made : withInherited(made, inherited, { nowMs, version });
  const document = full.version === version && full.updatedAtMs === nowMs ? full : { ...full, version, updatedAtMs: nowMs };
  const texts = encodeDocument(document);
  const fault = sizeFault(texts.state, known.row?.state, context.limits) ?? schemaFault(key, document, before, rules);
  return fault === undefined ? { kind: 'put', document, texts, written } : refused(fault);
}

/** What was too large already, as the limit was another one then, may get smaller. */
function sizeFault(state: string, before: string | undefined, { maxDocumentBytes }: ShadowLimits): ShadowFault | undefined {
  if (state.length * 3 <= maxDocumentBytes) return undefined;
  const size = Buffer.byteLength(state);
  if (size <= maxDocumentBytes) return undefined;
  return before !== undefined && size <= Buffer.byteLength(before) ? undefined : FAULTS.tooLarge;
}

function schemaFault(
  key: ShadowKey,
  document: ShadowDocument,
  before: ShadowDocument | undefined,
  rules: ShadowRules,
): ShadowFault | undefined {
  const { desired, inherited } = document;
  if (desired === before?.desired && inherited === before?.inherited) return undefined;
  const effective = mergeLayers(inherited, desired);
  const message = effective === undefined ? undefined : rules.desiredFault(key, effective);
  return message === undefined ? undefined : { code: 400, message, reason: 'schema' };
}

function refused(fault: ShadowFault): Decision {
  return { kind: 'refused', fault };
}
