import { errorAt } from './sql-errors.ts';
import { columnNames, isNode, lowerCase, nodesOf, type SyntaxNode } from './syntax-tree.ts';
import { TABLE_COLUMNS } from './table-columns.ts';

const UTC = /^(?:utc|gmt|z|zulu|(?:etc\/)?(?:utc|gmt|uct|zulu|greenwich))$/i;

/**
 * Refuses `time AT TIME ZONE 'Europe/Berlin'` of a time of telemetry: it would take a time that is in UTC for one of that zone, and
 * give days that are hours off; what is meant is written with both zones. Of other columns it is not known what they are.
 *
 * @throws SelsynError `sql.invalid`
 */
export function checkTimeZones(query: unknown, sql: string): void {
  const expressions = new Set<string>();
  for (const { cte_map: map } of nodesOf(query)) {
    for (const { key } of isNode(map) ? ((map['map'] ?? []) as readonly { readonly key: string }[]) : []) {
      expressions.add(lowerCase(key));
    }
  }
  for (const node of nodesOf(query)) {
    if (node['type'] !== 'SELECT_NODE' || !readsTelemetry(node['from_table'], expressions)) continue;
    for (const call of callsOf(node)) {
      const zone = zoneOfTime(call);
      if (zone === undefined || UTC.test(zone)) continue;
      const message = `time is in UTC: its time in ${zone} is time AT TIME ZONE 'UTC' AT TIME ZONE '${zone}'`;
      throw errorAt('sql.invalid', message, sql, Number(call['query_location'] ?? NaN));
    }
  }
}

/** Whether all that it reads are tables that have a time in UTC, or none. */
function readsTelemetry(table: unknown, expressions: ReadonlySet<string>): boolean {
  if (!isNode(table)) return false;
  if (table['type'] === 'JOIN') return readsTelemetry(table['left'], expressions) && readsTelemetry(table['right'], expressions);
  const name = lowerCase(String(table['table_name']));
  if (table['type'] !== 'BASE_TABLE' || (table['column_name_alias'] as readonly unknown[]).length > 0) return false;
  return !expressions.has(name) && Object.hasOwn(TABLE_COLUMNS, name);
}

/** Of a SELECT itself, not of those within. */
function* callsOf(select: SyntaxNode): Generator<SyntaxNode> {
  for (const node of nodesOf(select, (within) => within === select || !('cte_map' in within))) {
    if (node['class'] === 'FUNCTION') yield node;
  }
}

/** Of `time AT TIME ZONE 'zone'`, which is timezone('zone', time). */
function zoneOfTime(call: SyntaxNode): string | undefined {
  if (lowerCase(String(call['function_name'])) !== 'timezone') return undefined;
  const [zone, time] = call['children'] as readonly SyntaxNode[];
  const value = isNode(zone?.['value']) ? zone['value']['value'] : undefined;
  return columnNames(time)?.at(-1) === 'time' && typeof value === 'string' ? value : undefined;
}
