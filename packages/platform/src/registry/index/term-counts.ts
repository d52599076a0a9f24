import type { Database } from '../../database/schema.ts';
import type { Term } from './term.ts';

const TERMS_PER_STATEMENT = 500;

/** How many devices have each of the terms, by its text. All are of one field and kind. O(terms): the counts are kept. */
export async function devicesOf(database: Database, terms: readonly Term[]): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  const [first] = terms;
  if (first === undefined) return counts;
  for (let start = 0; start < terms.length; start += TERMS_PER_STATEMENT) {
    const rows = await database
      .selectFrom('device_term')
      .select(['text', 'devices'])
      .where('field', '=', first.field)
      .where('kind', '=', first.kind)
      .where(
        'text',
        'in',
        terms.slice(start, start + TERMS_PER_STATEMENT).map(({ text }) => text),
      )
      .execute();
    for (const { text, devices } of rows) counts.set(text, Number(devices));
  }
  return counts;
}
