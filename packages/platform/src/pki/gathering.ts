import { SelsynError } from '../kernel/errors.ts';

export interface GatheringOptions<I, O> {
  /** Does many at once: one answer for each, in their order. A rejection is that of all of them. */
  readonly work: (items: readonly I[]) => Promise<readonly (O | SelsynError)[]>;
  /** Items that `work` gets at most. */
  readonly maxBatch: number;
  /** Batches under way at a time. */
  readonly maxUnderWay: number;
  /** Items that wait at most; one more is refused with `full`. */
  readonly maxWaiting: number;
  readonly full: () => SelsynError;
}

interface Waiting<I, O> {
  readonly item: I;
  readonly resolve: (answer: O) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Does one by one what comes one by one, and many at once what comes meanwhile: the price of a signature's way to another thread, or
 * of a commit, is then that of a batch.
 */
export class Gathering<I, O> {
  readonly #options: GatheringOptions<I, O>;
  #waiting: Waiting<I, O>[] = [];
  #underWay = 0;
  #isScheduled = false;

  constructor(options: GatheringOptions<I, O>) {
    this.#options = options;
  }

  /** @throws SelsynError what `full` gives, or what became of the item. */
  async add(item: I): Promise<O> {
    const { maxWaiting, full } = this.#options;
    if (this.#waiting.length >= maxWaiting) throw full();
    return await new Promise<O>((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#isScheduled) return;
      this.#isScheduled = true;
      // Whatever comes in the same turn goes along.
      setImmediate(() => {
        this.#isScheduled = false;
        this.#begin();
      });
    });
  }

  #begin(): void {
    const { maxBatch, maxUnderWay } = this.#options;
    while (this.#underWay < maxUnderWay && this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, maxBatch);
      this.#waiting = this.#waiting.slice(maxBatch);
      this.#underWay += 1;
      void this.#do(batch).then(() => {
        this.#underWay -= 1;
        this.#begin();
      });
    }
  }

  async #do(batch: readonly Waiting<I, O>[]): Promise<void> {
    try {
      const answers = await this.#options.work(batch.map(({ item }) => item));
      batch.forEach(({ resolve, reject }, index) => {
        const answer = answers[index];
        if (answer === undefined) reject(new SelsynError('internal', 'a batch has fewer answers than items'));
        else if (answer instanceof SelsynError) reject(answer);
        else resolve(answer);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
