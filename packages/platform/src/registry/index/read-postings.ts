import type { Expression, ExpressionBuilder, SelectQueryBuilder, SqlBool } from 'kysely';
import type { Database, Schema } from '../../database/schema.ts';
import { addStoredBlock } from './block-codec.ts';
import { DeviceSet } from './device-set.ts';
import { SLOTS_OF_TERM } from './postings.ts';
import type { Term } from './term.ts';

type TermCondition = (builder: ExpressionBuilder<Schema, 'device_term'>) => Expression<SqlBool>;

/** The devices that have a term. 62 rows for a million devices. */
export async function devicesWith(
  database: Database,
  { field, kind, text }: Pick<Term, 'field' | 'kind' | 'text'>,
): Promise<DeviceSet> {
  return await devicesWithAny(database, field, kind, (builder) => builder('text', '=', text));
}

/** The devices that have any of the terms of a field for which the condition holds. One row for each term and block. */
export async function devicesWithAny(
  database: Database,
  field: string,
  kind: Term['kind'],
  condition: TermCondition,
): Promise<DeviceSet> {
  return await read(
    database,
    database.selectFrom('device_term').select('id').where('field', '=', field).where('kind', '=', kind).where(condition),
  );
}

const TERMS_PER_STATEMENT = 200;

/** The devices that have any of the terms. */
export async function devicesOfTerms(database: Database, ids: readonly number[]): Promise<DeviceSet> {
  let set = new DeviceSet();
  for (let start = 0; start < ids.length; start += TERMS_PER_STATEMENT) {
    const some = ids.slice(start, start + TERMS_PER_STATEMENT);
    const found = await read(database, database.selectFrom('device_term').select('id').where('id', 'in', some));
    set = set.isEmpty ? found : set.or(found);
  }
  return set;
}

async function read(database: Database, terms: SelectQueryBuilder<Schema, 'device_term', { id: number }>): Promise<DeviceSet> {
  const rows = await database
    .selectFrom(terms.as('term'))
    .innerJoin('device_posting', (join) =>
      join
        .on((builder) => builder('slot', '>=', builder('term.id', '*', SLOTS_OF_TERM)))
        .on((builder) => builder('slot', '<', builder(builder('term.id', '*', SLOTS_OF_TERM), '+', SLOTS_OF_TERM))),
    )
    .select(['slot', 'bits'])
    .execute();
  const set = new DeviceSet();
  for (const { slot, bits } of rows) addStoredBlock(set, Number(slot) % SLOTS_OF_TERM, bits);
  return set;
}
