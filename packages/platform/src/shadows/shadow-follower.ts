import type { Batch } from '../state/batch.ts';
import type { ShadowDocument, ShadowKey } from './shadow-document.ts';

/** Is told of changes of shadows within the batch that makes them: what it writes is there with them or not at all. */
export interface ShadowFollower {
  /**
   * Called for every change, in their order: an update, a deletion (`after` undefined), another inherited layer. Costs next to nothing
   * where nothing is to be done. Must not throw.
   */
  changed(key: ShadowKey, before: ShadowDocument | undefined, after: ShadowDocument | undefined, batch: Batch): void;
  /** Called once after the changes of an `apply`: writes what they came to. */
  write(batch: Batch): Promise<void>;
}
