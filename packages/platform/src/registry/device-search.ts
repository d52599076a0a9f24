import type { Filter } from './filter/filter-ast.ts';
import { parseFilter } from './filter/parse-filter.ts';
import { parseGroupPath } from './group-path.ts';
import { isEverything, type Scope } from './scope.ts';

/** Which devices a list or a count is about; absent fields allow all. */
export interface DeviceFilter {
  /** Text of the filter language: see docs/guides/organise-devices.md. */
  readonly filter?: string | undefined;
  /** The id starts with this. */
  readonly idPrefix?: string | undefined;
  readonly tag?: string | undefined;
  /** In this group or below. */
  readonly group?: string | undefined;
  /** Only what the caller may see. */
  readonly scope?: Scope | undefined;
}

/** Sorts after every character that an id may have. */
export const AFTER_ANY_ID_CHARACTER = '\x7f';

/**
 * All conditions as one filter; undefined where an id prefix or a tag is all that is asked: then the index on ids or tags
 * answers, in the order of the ids.
 *
 * @throws SelsynError `request.invalid`
 */
export function filterOf({ filter, idPrefix, tag, group, scope }: DeviceFilter): Filter | undefined {
  const isScoped = scope !== undefined && !isEverything(scope);
  if (filter === undefined && group === undefined && !isScoped) return undefined;
  const items: Filter[] = [];
  if (isScoped) items.push({ kind: 'or', items: scope.groups.map((path) => ({ kind: 'group', path, below: true })) });
  if (group !== undefined) items.push({ kind: 'group', path: parseGroupPath(group), below: true });
  if (tag !== undefined) items.push({ kind: 'tag', tag });
  if (filter !== undefined) items.push(parseFilter(filter));
  // Ids have neither * nor ?: with these in it the prefix is of none.
  if (idPrefix !== undefined && idPrefix !== '') {
    items.push(
      /[*?]/.test(idPrefix)
        ? { kind: 'not', item: { kind: 'all' } }
        : { kind: 'text-like', column: 'id', pattern: `${idPrefix}*` },
    );
  }
  return { kind: 'and', items };
}
