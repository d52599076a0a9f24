import type { MessageMark } from './session-store.ts';

/** A mark, and the groups for which its message is stored; '': for those who subscribe otherwise. */
export interface MarkedGroups {
  readonly mark: MessageMark;
  readonly groups: ReadonlySet<string>;
}

/** The marks of the messages that one store has taken, until they are forgotten. */
export class StoredMarks {
  readonly #byMark = new Map<string, { readonly mark: MessageMark; readonly groups: Set<string> }>();

  add(mark: MessageMark, group: string): void {
    const key = keyOf(mark);
    const known = this.#byMark.get(key);
    if (known === undefined) this.#byMark.set(key, { mark, groups: new Set([group]) });
    else known.groups.add(group);
  }

  has(mark: MessageMark, group: string): boolean {
    return this.#byMark.get(keyOf(mark))?.groups.has(group) === true;
  }

  /** @returns the groups that it had; undefined where it is not known */
  remove(mark: MessageMark): ReadonlySet<string> | undefined {
    const key = keyOf(mark);
    const groups = this.#byMark.get(key)?.groups;
    this.#byMark.delete(key);
    return groups;
  }

  removeGroup(mark: MessageMark, group: string): void {
    const groups = this.#byMark.get(keyOf(mark))?.groups;
    if (groups?.delete(group) === true && groups.size === 0) this.remove(mark);
  }

  [Symbol.iterator](): Iterator<MarkedGroups> {
    return this.#byMark.values();
  }
}

/** One text for each mark. */
export function keyOf({ origin, session, packetId }: MessageMark): string {
  return `${session} ${packetId} ${origin}`;
}
