import type { Database } from '../database/schema.ts';
import type { StoredDevice } from './device-rows.ts';
import { termsOf } from './device-terms.ts';
import type { GroupPlaces } from './group-tree.ts';
import { DeviceSet } from './index/device-set.ts';
import { changePostings, type PostingChange } from './index/postings.ts';
import { keyOf, type Term } from './index/term.ts';

/** What a device was and what it is; undefined: was not there, is no more. */
export interface DeviceChange {
  readonly before?: StoredDevice | undefined;
  readonly after?: StoredDevice | undefined;
  /** What else it is found by when it goes: that it is connected. */
  readonly alsoRemoved?: readonly Term[];
}

/** Lets devices be found by what they are now. */
export async function indexChanges(transaction: Database, places: GroupPlaces, changes: readonly DeviceChange[]): Promise<void> {
  const gathered = new PostingChanges();
  for (const { before, after, alsoRemoved = [] } of changes) {
    const old = before === undefined ? NO_TERMS : termsOf(before.device, places.lineage(before.device.group));
    const now = after === undefined ? NO_TERMS : termsOf(after.device, places.lineage(after.device.group));
    for (const [key, term] of old) if (!now.has(key)) gathered.removed(key, term, before!.number);
    for (const [key, term] of now) if (!old.has(key)) gathered.added(key, term, after!.number);
    for (const term of alsoRemoved) gathered.removed(keyOf(term), term, before!.number);
  }
  await changePostings(transaction, gathered.changes());
}

const NO_TERMS: ReadonlyMap<string, Term> = new Map();

/** Puts the changes of many devices together, by term. */
export class PostingChanges {
  readonly #changes = new Map<string, PostingChange>();

  added(key: string, term: Term, number: number): void {
    this.#of(key, term).added.add(number);
  }

  removed(key: string, term: Term, number: number): void {
    this.#of(key, term).removed.add(number);
  }

  /** For a few terms of one device: what it has no more, and what it has now. */
  turned(number: number, before: readonly Term[], after: readonly Term[]): void {
    const [old, now] = [new Set(before.map(keyOf)), new Set(after.map(keyOf))];
    for (const term of before) if (!now.has(keyOf(term))) this.removed(keyOf(term), term, number);
    for (const term of after) if (!old.has(keyOf(term))) this.added(keyOf(term), term, number);
  }

  changes(): readonly PostingChange[] {
    return [...this.#changes.values()];
  }

  #of(key: string, term: Term): PostingChange {
    let change = this.#changes.get(key);
    if (change === undefined) this.#changes.set(key, (change = { term, added: new DeviceSet(), removed: new DeviceSet() }));
    return change;
  }
}
