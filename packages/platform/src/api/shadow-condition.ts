import { isSelsynError } from '../kernel/errors.ts';
import type { ShadowKey } from '../shadows/shadow-document.ts';
import type { ShadowStore } from '../shadows/shadow-store.ts';
import { invalidRequest } from './problem.ts';
import { preconditionFailed, type Condition } from './version-tag.ts';

/** Somebody else may change the shadow between the look and the change: then once more. */
const MAX_TRIES = 5;

/**
 * Changes a shadow under a condition of the request, with no gap in between: what was looked at is what is changed.
 *
 * @param change gets the version that the shadow must have (0: it must never have been), and throws `shadow.conflict` where it has another.
 * @throws SelsynError `request.precondition-failed` where the header does not hold, `shadow.conflict` where `expectedVersion` does not.
 */
export async function changeOnCondition<T>(
  request: {
    readonly key: ShadowKey;
    readonly condition: Condition;
    /** Of the body. */
    readonly expectedVersion: number | undefined;
    readonly store: Pick<ShadowStore, 'find'>;
  },
  change: (expectedVersion: number | undefined) => Promise<T>,
): Promise<T> {
  const { key, condition, expectedVersion, store } = request;
  if (condition.kind === 'none') return await change(expectedVersion);
  if (expectedVersion !== undefined) {
    throw invalidRequest([{ in: 'body', field: 'expectedVersion', message: 'give it, or a header, not both' }]);
  }
  let deletedAt = 0;
  for (let tries = 1; ; tries++) {
    const has = (await store.find(key))?.version;
    if (!holds(condition, has)) throw failed(condition, key, has);
    try {
      return await change(has ?? deletedAt);
    } catch (error) {
      if (!isSelsynError(error, 'shadow.conflict')) throw error;
      if (tries === MAX_TRIES) throw failed(condition, key, has);
      const { version } = error.details;
      // The next look tells whether that is the version of one that is there, or of one that was deleted.
      deletedAt = typeof version === 'number' ? version : 0;
    }
  }
}

function holds(condition: Exclude<Condition, { kind: 'none' }>, has: number | undefined): boolean {
  if (condition.kind === 'absent') return has === undefined;
  return has !== undefined && (condition.kind === 'exists' || condition.versions.includes(has));
}

function failed({ kind }: Condition, { device, shadow }: ShadowKey, has: number | undefined) {
  const details = { device, shadow, ...(has !== undefined && { version: has }) };
  if (has === undefined) return preconditionFailed('there is no such shadow', details);
  if (kind === 'absent') return preconditionFailed(`the shadow is there already, with version ${has}`, details);
  return preconditionFailed(`the shadow has version ${has} by now`, details);
}
