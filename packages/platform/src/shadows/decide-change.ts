import type { KnownShadow } from './shadow-cache.ts';
import type { ShadowDocument, ShadowKey, ShadowPatch } from './shadow-document.ts';
import { FAULTS, noShadow, type ShadowFault } from './shadow-faults.ts';
import type { ShadowRules } from './shadow-hooks.ts';
import { withInherited } from './shadow-merge.ts';
import type { ShadowLimits } from './shadow-rules.ts';
import { documentBytes, textsOf, type DocumentTexts } from './shadow-texts.ts';
import type { ChangeWork } from './shadow-work.ts';

/** What a change comes to. */
export type Decision =
  | { readonly kind: 'refused'; readonly fault: ShadowFault }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'deleted'; readonly version: number }
  | {
      readonly kind: 'put';
      readonly document: ShadowDocument;
      readonly texts: DocumentTexts;
      /** Of the document before, where there was one. */
      readonly textsBefore: DocumentTexts | undefined;
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
  if (work.expectedVersion !== undefined && work.expectedVersion !== known.version) return refused(FAULTS.conflict);
  const { nowMs } = context;
  const nextVersion = known.version + 1;
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
  const textsBefore = before === undefined ? undefined : (known.texts ?? textsOf(before, undefined));
  const texts = textsOf(document, textsBefore);
  const fault = sizeFault(texts, textsBefore, context.limits) ?? schemaFault(key, texts, textsBefore, rules);
  return fault === undefined ? { kind: 'put', document, texts, textsBefore, written } : refused(fault);
}

/** What was too large already, as the limit was another one then, may get smaller. */
function sizeFault(
  texts: DocumentTexts,
  before: DocumentTexts | undefined,
  { maxDocumentBytes }: ShadowLimits,
): ShadowFault | undefined {
  const size = documentBytes(texts);
  if (size <= maxDocumentBytes) return undefined;
  return before !== undefined && size <= documentBytes(before) ? undefined : FAULTS.tooLarge;
}

function schemaFault(
  key: ShadowKey,
  texts: DocumentTexts,
  before: DocumentTexts | undefined,
  rules: ShadowRules,
): ShadowFault | undefined {
  const { desired } = texts;
  if (desired === undefined || desired === before?.desired) return undefined;
  const message = rules.desiredFault(key, desired.value);
  return message === undefined ? undefined : { code: 400, message, reason: 'schema' };
}

function refused(fault: ShadowFault): Decision {
  return { kind: 'refused', fault };
}
