import type { Database } from '../../database/schema.ts';
import { SelsynError } from '../../kernel/errors.ts';
import type { Filter } from './filter-ast.ts';

/** The ids of the fields of shadows that a filter asks for. @throws SelsynError `request.invalid` for one that was not declared */
export async function findShadowFields(database: Database, filter: Filter): Promise<ReadonlyMap<string, number>> {
  const asked = new Set<string>();
  gather(filter, asked);
  if (asked.size === 0) return new Map();
  const rows = await database
    .selectFrom('shadow_field')
    .select(['id', 'field'])
    .where('field', 'in', [...asked])
    .where('dropped', '=', 0)
    .execute();
  const found = new Map(rows.map(({ id, field }) => [field, Number(id)]));
  for (const field of asked) {
    if (found.has(field)) continue;
    throw new SelsynError(
      'request.invalid',
      `${field} is not searchable: declare it first, see PUT /api/v1/search/shadow-fields`,
      {
        details: { field: 'filter', shadowField: field },
      },
    );
  }
  return found;
}

function gather(filter: Filter, into: Set<string>): void {
  switch (filter.kind) {
    case 'and':
    case 'or':
      for (const item of filter.items) gather(item, into);
      break;
    case 'not':
      gather(filter.item, into);
      break;
    case 'value':
    case 'value-like':
    case 'value-exists':
      if (filter.field.kind === 'shadow') into.add(filter.field.field);
      break;
    default:
  }
}
