import { isSelsynError } from '../../kernel/errors.ts';
import type { Sandbox } from '../../sandbox/sandbox.ts';
import type { UserScript } from '../../sandbox/user-script.ts';
import type { Json, JsonObject, ShadowKey } from '../shadow-document.ts';
import { sectionFault, type ShadowLimits } from '../shadow-rules.ts';
import { keyOfConflict, sideOf } from './conflict.ts';
import type { ScriptChoice } from './merge-rule.ts';
import type { Concurrent } from './replica-merge.ts';

/** The function of the user's script. */
export const MERGE_FUNCTION = 'merge';
const ALL = '__mergeAll';
/** Stands behind the script, so that its lines keep their numbers. */
const FOR_EACH = `
;const ${ALL} = (conflicts) => conflicts.map((conflict) => {
  const value = ${MERGE_FUNCTION}(conflict);
  return value === undefined ? null : [value];
});`;

/** That a script can be loaded and has the function. @throws SelsynError `script.invalid`, `script.over-limit` */
export async function checkMergeScript(sandbox: Sandbox, source: string): Promise<void> {
  await sandbox.check({ source, functionName: MERGE_FUNCTION });
  await sandbox.check(wrapped(source));
}

/**
 * Asks a script about conflicts: its function is given { device, shadow, section, path, ours, theirs } and returns the value that the
 * field is to have, null where it is to go, nothing where the later write counts.
 *
 * @returns by keyOfConflict; or why there are no answers.
 */
export async function askScript(
  sandbox: Sandbox,
  source: string,
  { device, shadow }: ShadowKey,
  conflicts: readonly Concurrent[],
  limits: ShadowLimits,
): Promise<{ readonly choices: ReadonlyMap<string, ScriptChoice> } | { readonly fault: string }> {
  const asked = conflicts.map(({ section, path, ours, theirs }) => ({
    device,
    shadow,
    section,
    path,
    ours: sideOf(ours),
    theirs: sideOf(theirs),
  }));
  let answers: readonly (readonly [Json] | null)[];
  try {
    // What comes out of the sandbox is an array of what FOR_EACH makes.
    answers = (await sandbox.call(wrapped(source), asked)) as typeof answers;
  } catch (error) {
    if (!isSelsynError(error, 'script.invalid', 'script.failed', 'script.over-limit')) throw error;
    return { fault: error.message };
  }
  const choices = new Map<string, ScriptChoice>();
  for (const [index, conflict] of conflicts.entries()) {
    const answer = answers[index];
    const value = answer?.[0] ?? null;
    const inPlace = conflict.path.reduceRight<Json>((inner, key) => Object.fromEntries([[key, inner]]), value) as JsonObject;
    const fault = sectionFault(inPlace, limits);
    if (fault !== undefined) return { fault: `the script returned what cannot stand in a shadow: ${fault.message}` };
    choices.set(keyOfConflict(conflict), answer === null || answer === undefined ? undefined : { value });
  }
  return { choices };
}

function wrapped(source: string): UserScript {
  return { source: source + FOR_EACH, functionName: ALL };
}
