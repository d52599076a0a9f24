import type { Json, Section } from '../shadow-document.ts';
import type { MergePolicy } from './merge-policy.ts';
import { dotOf } from './replica-clock.ts';
import { pointerOf } from './leaves.ts';
import type { Choice, Claim, Concurrent } from './replica-merge.ts';

/** A field that was written here and on an edge while they were apart, and what has become of it. */
export interface Conflict {
  readonly section: Section;
  /** A JSON Pointer (RFC 6901) within the section. */
  readonly path: string;
  readonly ours: ConflictSide;
  readonly theirs: ConflictSide;
  readonly chosen: 'ours' | 'theirs' | 'merged';
  /** Where it is merged; undefined: the field was taken away. */
  readonly value?: Json | undefined;
  readonly by: MergePolicy;
  /** Why the script did not choose, where it was to. */
  readonly fault?: string | undefined;
}

export interface ConflictSide {
  readonly value: Json;
  /** When it was written, s since 1970. */
  readonly timestamp: number;
  /** Who wrote it. */
  readonly replica: string;
}

export function conflictOf(concurrent: Concurrent, choice: Choice, by: MergePolicy, fault?: string): Conflict {
  const { section, path, ours, theirs } = concurrent;
  return {
    section,
    path: pointerOf(path),
    ours: sideOf(ours),
    theirs: sideOf(theirs),
    chosen: choice.chosen,
    ...(choice.chosen === 'merged' && { value: choice.value }),
    by,
    ...(fault !== undefined && { fault }),
  };
}

export function sideOf({ value, stamp }: Claim): ConflictSide {
  return { value, timestamp: stamp[0], replica: dotOf(stamp).replica };
}

/** Says which two writes a conflict is between: it stays the same while neither side has another one. */
export function keyOfConflict({ section, path, ours, theirs }: Concurrent): string {
  return JSON.stringify([section, path, ours.stamp.slice(1), theirs.stamp.slice(1)]);
}
