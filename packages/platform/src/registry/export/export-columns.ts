import type { Database } from '../../database/schema.ts';
import type { Clock } from '../../kernel/clock.ts';
import { inTransaction } from '../../database/in-transaction.ts';
import { ROOT_GROUP } from '../group-path.ts';
import { filterOf, type DeviceFilter } from '../device-search.ts';
import { attributeField } from '../device-terms.ts';
import { and } from '../filter/filter-ast.ts';
import { FilterSearch } from '../filter/filter-search.ts';

/** More columns than this no spreadsheet shows well: then all attributes are in one column, as JSON. */
export const MAX_ATTRIBUTE_COLUMNS = 200;

const PREFIX = attributeField('');

/**
 * The paths of the attributes that the devices have, in order: only of those that the filter and its scope let through, so
 * that a column does not tell of devices that one may not see.
 */
export async function attributePathsOf(
  dependencies: { readonly database: Database; readonly clock: Clock },
  query: DeviceFilter,
): Promise<readonly string[]> {
  const { database, clock } = dependencies;
  const rows = await database
    .selectFrom('device_term')
    .select('field')
    .where('kind', '=', 'p')
    .where('text', '=', '')
    .where('field', '>', PREFIX)
    // What begins with the prefix: a slash follows the dot at its end.
    .where('field', '<', `${PREFIX.slice(0, -1)}/`)
    .where('devices', '>', 0)
    .orderBy('field')
    .limit(MAX_ATTRIBUTE_COLUMNS + 1)
    .execute();
  if (rows.length > MAX_ATTRIBUTE_COLUMNS) return [];
  // With a group it is a filter always.
  const filter = filterOf({ ...query, group: query.group ?? ROOT_GROUP });
  const paths: string[] = [];
  for (const { field } of rows) {
    const path = field.slice(PREFIX.length);
    const isThere = await inTransaction(database, async (transaction) => {
      const exists = { kind: 'value-exists', field: { kind: 'attribute', path } } as const;
      const search = new FilterSearch(transaction, clock.now());
      return (await search.matches(and([...(filter === undefined ? [] : [filter]), exists]))).count() > 0;
    });
    if (isThere) paths.push(path);
  }
  return paths;
}
