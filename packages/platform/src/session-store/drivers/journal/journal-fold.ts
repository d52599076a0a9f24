import type { Offset } from '../../../log/log.ts';
import { StoredState } from '../../stored-state.ts';
import type { JournalRecord } from './journal-record.ts';

/**
 * Folds the records of a journal, oldest first, to the state they come to. The history may begin anywhere.
 *
 * Two states while a snapshot is being written: `#state`, of the history alone, and `#next`, of the snapshot and of what
 * was changed since it began. A change of the history goes to both, one of the snapshot only to `#next`, so a snapshot
 * that was never completed, or of which a slice was torn, does nothing. The end mark makes `#next` the state.
 */
export class JournalFold {
  #state = new StoredState();
  #next: { readonly id: Offset; readonly state: StoredState; readonly beganAtBytes: number; sizeBytes: number } | undefined;
  #historyBytes = 0;
  /** Bytes of the last complete snapshot. */
  snapshotBytes = 0;
  /** Nothing before this offset is needed. */
  neededFrom = 0 as Offset;

  get state(): StoredState {
    return this.#state;
  }

  /** Bytes of records since the last complete snapshot began, or all of them. */
  get historyBytes(): number {
    return this.#historyBytes;
  }

  take(record: JournalRecord, sizeBytes: number): void {
    if (record.kind === 'begin') {
      this.#next = { id: record.id, state: new StoredState(), beganAtBytes: this.#historyBytes, sizeBytes: 0 };
    } else if (record.kind === 'end') this.#complete(record.id);
    else if (record.ofSnapshot) {
      if (this.#next === undefined) return;
      this.#next.state.applyOfSnapshot(record.change);
      this.#next.sizeBytes += sizeBytes;
    } else {
      this.#state.apply(record.change);
      this.#next?.state.apply(record.change);
    }
    this.#historyBytes += sizeBytes;
  }

  #complete(id: Offset): void {
    const next = this.#next;
    if (next?.id !== id) return;
    next.state.unpin();
    this.#state = next.state;
    this.#historyBytes -= next.beganAtBytes;
    this.snapshotBytes = next.sizeBytes;
    this.neededFrom = id;
    this.#next = undefined;
  }
}
