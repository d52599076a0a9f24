import type { ShadowPatch } from './shadow-document.ts';
import type { ShadowFault } from './shadow-faults.ts';
import { mergeUpdate, replaceSections } from './shadow-merge.ts';
import type { ShadowRule } from './shadow-rule.ts';

/** AWS's update, and RFC 7396's merge: see `mergeUpdate`. */
export function updateRule(patch: ShadowPatch): ShadowRule {
  return (document, { nowMs, nextVersion }) => ({
    kind: 'put',
    document: mergeUpdate(document, patch, { nowMs, version: nextVersion }),
    written: patch,
  });
}

/** Sections become exactly this: see `replaceSections`. */
export function replaceRule(state: ShadowPatch): ShadowRule {
  return (document, { nowMs, nextVersion }) => ({
    kind: 'put',
    document: replaceSections(document, state, { nowMs, version: nextVersion }),
    written: state,
  });
}

export const deleteRule: ShadowRule = () => ({ kind: 'deleted' });

export function refuseRule(fault: ShadowFault): ShadowRule {
  return () => ({ kind: 'refused', fault });
}
