import type { Expression, ExpressionBuilder, SqlBool } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { AFTER_SLASH, ROOT_GROUP } from '../registry/group-path.ts';
import type { Scope } from '../registry/scope.ts';

/** Those of the rows whose path is one of the nodes of the scope or below it; an index on the path serves it. */
export function withinScope(column: 'group_path', { groups }: Scope) {
  return (
    builder: ExpressionBuilder<Pick<Schema, 'api_key' | 'user_account'>, 'api_key' | 'user_account'>,
  ): Expression<SqlBool> => {
    if (groups.includes(ROOT_GROUP)) return builder.lit(true);
    return builder.or(
      groups.map((group) =>
        builder.or([
          builder(column, '=', group),
          builder.and([builder(column, '>', `${group}/`), builder(column, '<', group + AFTER_SLASH)]),
        ]),
      ),
    );
  };
}
