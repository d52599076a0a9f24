import type { KyselyPlugin, QueryResult, RootOperationNode, UnknownRow } from 'kysely';
import type { Clock } from '../../kernel/clock.ts';

/** Work of this length in a row is not felt by whoever else needs the thread. */
const BREATH_MS = 8;

/**
 * Lets others have the thread between two statements of a long transaction, so that it holds up only those who wait for the
 * database.
 */
export class Breathing implements KyselyPlugin {
  readonly #clock: Clock;
  #sinceMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.monotonicMs();
  }

  /** To be called between two steps of long work too. */
  async breathe(): Promise<void> {
    if (this.#clock.monotonicMs() - this.#sinceMs < BREATH_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#sinceMs = this.#clock.monotonicMs();
  }

  transformQuery({ node }: { readonly node: RootOperationNode }): RootOperationNode {
    return node;
  }

  async transformResult({ result }: { readonly result: QueryResult<UnknownRow> }): Promise<QueryResult<UnknownRow>> {
    await this.breathe();
    return result;
  }
}
