import type { Json } from '../api/json.ts';
import { toProblem } from '../api/problem.ts';
import type { Shadow } from '../api/shadows.ts';
import { leavesOf, pathText, valueAt } from '../format/json-paths.ts';

/** Somebody else has written what is about to be written. Undefined: it is not asked any more. */
export interface ConflictField {
  readonly label: string;
  readonly before: unknown;
  readonly theirs: unknown;
  /** null: it is taken away. */
  readonly mine: unknown;
}

export type DesiredOutcome =
  | { readonly kind: 'saved'; readonly shadow: Shadow }
  /** `current` undefined: the shadow is no more. */
  | { readonly kind: 'conflict'; readonly current: Shadow | undefined; readonly fields: readonly ConflictField[] };

export interface ShadowAccess {
  /** Undefined: there is none. */
  readonly read: () => Promise<Shadow | undefined>;
  /** Only where it still has the version; 0: where there is none. */
  readonly write: (patch: Json, version: number) => Promise<Shadow>;
}

/** A device that reports all the time moves the version on between each look and write. */
const MAX_TRIES = 6;

/**
 * Writes what somebody wants a device to be, on top of the shadow that they looked at.
 *
 * That the version has moved on is no conflict: devices report, others change other fields. It is one where a field that is
 * written is not any more what was looked at.
 *
 * @param base what was looked at; undefined: there was none.
 * @throws Problem for all other refusals, and where the version moves on faster than it can be followed.
 */
export async function changeDesired(shadow: ShadowAccess, patch: Json, base: Shadow | undefined): Promise<DesiredOutcome> {
  let latest = base;
  for (let tries = 1; ; tries++) {
    try {
      return { kind: 'saved', shadow: await shadow.write(patch, latest?.version ?? 0) };
    } catch (error) {
      if (toProblem(error).code !== 'request.precondition-failed' || tries === MAX_TRIES) throw error;
    }
    latest = await shadow.read();
    const fields = conflictsOf(patch, base?.desired ?? {}, latest?.desired ?? {});
    if (fields.length > 0) return { kind: 'conflict', current: latest, fields };
  }
}

/** Those of the fields that a patch writes which are not what they were. */
export function conflictsOf(patch: Json, before: Json, now: Json): readonly ConflictField[] {
  return leavesOf(patch)
    .map(([path, mine]) => ({
      label: pathText(path),
      before: valueAt(before, path),
      theirs: valueAt(now, path),
      mine,
    }))
    .filter((field) => {
      const [was, is, wanted] = [field.before, field.theirs, field.mine ?? undefined].map((value) => JSON.stringify(value));
      // Who wants the same as they do is in no conflict with them.
      return is !== was && is !== wanted;
    });
}
