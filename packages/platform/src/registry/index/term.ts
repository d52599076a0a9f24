import { naturalKey } from './natural-key.ts';

/** A value that devices have in a field. `field`, `kind` and `text` together say which it is. */
export interface Term {
  readonly field: string;
  readonly kind: 's' | 'n' | 'b' | 'p';
  readonly text: string;
  readonly number: number | null;
  readonly naturalKey: string | null;
}

/** Longer texts are kept but not found. */
export const MAX_TERM_TEXT = 256;

export const ALL_DEVICES: Term = present('all');
export const CONNECTED: Term = truth('connected', true);
/** Was ever connected. */
export const SEEN: Term = present('seen');

export function word(field: string, text: string): Term {
  return { field, kind: 's', text, number: null, naturalKey: naturalKey(text) };
}

export function quantity(field: string, number: number): Term {
  return { field, kind: 'n', text: String(number), number, naturalKey: null };
}

export function truth(field: string, value: boolean): Term {
  return { field, kind: 'b', text: String(value), number: null, naturalKey: null };
}

/** There is a value. */
export function present(field: string): Term {
  return { field, kind: 'p', text: '', number: null, naturalKey: null };
}

/** Some device has several values at once: an array. */
export function several(field: string): Term {
  return { ...present(field), text: 'several' };
}

/** The day, in UTC, at which a device was made, or (of one that is not connected) was last there. */
export function onDay(field: 'createdDay' | 'seenDay', ms: number): Term {
  return quantity(field, dayOf(ms));
}

export const DAY_MS = 86_400_000;

/** Days since 1970. */
export function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS);
}

/** In the group itself. */
export function inGroup(groupId: number): Term {
  return quantity('group', groupId);
}

/** In the group or anywhere below it; not kept for the root, below which is everything. */
export function underGroup(groupId: number): Term {
  return quantity('under', groupId);
}

export function keyOf({ field, kind, text }: Pick<Term, 'field' | 'kind' | 'text'>): string {
  return `${field}\n${kind}\n${text}`;
}
