import type { StateDatabase } from '../database/schema.ts';
import { chunksOf } from '../registry/statement-chunks.ts';
import type { Batch } from '../state/batch.ts';

/** What executions need of their job, all of which never changes. */
export interface JobFacts {
  readonly number: number;
  readonly id: string;
  /** JSON. */
  readonly document: string;
  /** How long an execution may be IN_PROGRESS. */
  readonly timeoutMs: number | undefined;
}

/** Documents have up to 32 KB. */
const MAX_KEPT = 256;

/**
 * Reads jobs by their numbers, and keeps those that were asked for last. That is sound because a number is never given again; what was
 * read within a batch that failed is forgotten, since its jobs may never have been.
 */
export class JobFactsReader {
  readonly #kept = new Map<number, JobFacts>();

  async byNumber(numbers: ReadonlySet<number>, batch: Batch): Promise<ReadonlyMap<number, JobFacts>> {
    const found = new Map<number, JobFacts>();
    const missing: number[] = [];
    for (const number of numbers) {
      const kept = this.#kept.get(number);
      if (kept === undefined) missing.push(number);
      else {
        found.set(number, kept);
        this.#kept.delete(number);
        this.#kept.set(number, kept);
      }
    }
    if (missing.length === 0) return found;
    for (const chunk of chunksOf(missing)) {
      const rows = await batch.transaction
        .selectFrom('job')
        .select(['number', 'id', 'document', 'in_progress_timeout_ms'])
        .where('number', 'in', chunk)
        .execute();
      for (const row of rows) {
        const number = Number(row.number);
        const timeoutMs = row.in_progress_timeout_ms === null ? undefined : Number(row.in_progress_timeout_ms);
        const facts = { number, id: row.id, document: row.document, timeoutMs };
        found.set(number, facts);
        this.#keep(facts);
      }
    }
    batch.onRollback(() => this.#kept.clear());
    return found;
  }

  #keep(facts: JobFacts): void {
    this.#kept.set(facts.number, facts);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MAX_KEPT) return;
      this.#kept.delete(oldest);
    }
  }
}

/** The numbers of jobs by their ids: not kept, an id may be given again once its job was deleted. */
export async function jobNumbers(database: StateDatabase, ids: ReadonlySet<string>): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  if (ids.size === 0) return found;
  for (const chunk of chunksOf([...ids])) {
    const rows = await database.selectFrom('job').select(['id', 'number']).where('id', 'in', chunk).execute();
    for (const { id, number } of rows) found.set(id, Number(number));
  }
  return found;
}
