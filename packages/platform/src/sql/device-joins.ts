import { haveNames, leafOf, takeApart, termsAt, type From, type Leaf, type Term, type TermPlace } from './from-clause.ts';
import { entriesOf, expressionsOf, isConditionOn, isStatic, isStaticTable, withExpressions, type Scope } from './static-parts.ts';
import { allOf, columnNames, isNode, lowerCase, nodesOf, type SyntaxNode } from './syntax-tree.ts';
import { TABLE_COLUMNS } from './table-columns.ts';

/**
 * A column that a query compares with what a query over the devices alone gives. That it is one of these values can be added
 * to the condition without a change of the answer: rows that do not hold it are not in it.
 */
export interface DeviceJoin extends TermPlace {
  readonly column: SyntaxNode;
  /** A query of one column. */
  readonly values: SyntaxNode;
}

const DEVICE_COLUMNS: ReadonlySet<string> = new Set(
  [...TABLE_COLUMNS.devices.matchAll(/(?:^|, )"?(\w+)"? /g)].map(([, name]) => name!),
);
const NO_EXPRESSIONS: Scope = new Map();
/** What a row gives without a function, which may be an aggregate. */
const PLAIN_CLASSES: ReadonlySet<unknown> = new Set(['COLUMN_REF', 'CONSTANT', 'STAR']);

/**
 * Finds joins and semi-joins with devices, in every part of a query:
 * ```
 *   FROM telemetry t JOIN devices d ON d.id = t.device WHERE d.type = 'pump'      t.device: SELECT d.id FROM devices d WHERE d.type = 'pump'
 *   WHERE device IN (SELECT id FROM devices WHERE …)                             device:   SELECT id FROM devices WHERE …
 *   FROM devices d LEFT JOIN telemetry t ON t.device = d.id WHERE d.type = 'pump' t.device: the same, as a condition of the join
 * ```
 * Also with common table expressions and subqueries in the place of any of the tables, and with EXISTS.
 */
export function deviceJoins(query: SyntaxNode): DeviceJoin[] {
  // Under a collation texts are equal that are not the same.
  for (const node of nodesOf(query)) if (node['class'] === 'COLLATE') return [];
  const found: DeviceJoin[] = [];
  visit(query, NO_EXPRESSIONS, found);
  return found;
}

function visit(value: unknown, outer: Scope, found: DeviceJoin[]): void {
  if (Array.isArray(value)) for (const item of value) visit(item, outer, found);
  if (!isNode(value)) return;
  // Their parts see what they make themselves.
  if (value['type'] === 'RECURSIVE_CTE_NODE' || value['type'] === 'CTE_NODE') return;
  const { cte_map: _, ...rest } = value;
  const scope = withExpressions(outer, value, (query, before) => visit(query, before, found));
  if (value['type'] === 'SELECT_NODE') joinsOf(value, scope, found);
  for (const item of Object.values(rest)) visit(item, scope, found);
}

function joinsOf(select: SyntaxNode, scope: Scope, found: DeviceJoin[]): void {
  const from: From = { leaves: [], terms: [], optional: [] };
  const isKnown = takeApart(select['from_table'], from) && haveNames(select['from_table']);
  const inWhere = termsAt(select, 'where_clause', from.leaves);
  for (const { term, at } of inWhere) {
    const join = subqueryJoin(term, scope);
    if (join !== undefined) found.push({ ...join, ...at });
  }
  if (!isKnown) return;
  from.terms.push(...inWhere);
  for (const leaf of from.leaves) {
    if (!isStaticLeaf(leaf, scope)) continue;
    const sees = ({ leaves }: Term): boolean => leaves.includes(leaf);
    const own = from.terms.filter(sees);
    found.push(...comparisons(leaf, own, own, scope));
    // Rows of which the devices do not hold what all rows hold are in no answer, whatever they were joined with.
    for (const term of from.optional.filter(sees)) {
      const siblings = from.optional.filter(({ at }) => at.node === term.at.node);
      found.push(...comparisons(leaf, [term], [...own, ...siblings], scope));
    }
  }
}

function isStaticLeaf({ table, alias }: Leaf, scope: Scope): boolean {
  if (alias === undefined || (table['type'] !== 'BASE_TABLE' && table['type'] !== 'SUBQUERY')) return false;
  return isStatic(table, scope);
}

type Compared = Pick<DeviceJoin, 'column' | 'values'>;

/** Columns that some of `terms` say to be equal to a column of the table, of the rows of which `known` holds. */
function comparisons(leaf: Leaf, terms: readonly Term[], known: readonly Term[], scope: Scope): DeviceJoin[] {
  const owns = ownsColumn(leaf, scope);
  const where = known.map(({ term }) => term).filter((term) => isConditionOn(term, owns));
  // Of all devices: that would be no less.
  if (where.length === 0 && isDevices(leaf, scope)) return [];
  return terms.flatMap(({ term, at }) => {
    if (term['type'] !== 'COMPARE_EQUAL') return [];
    const sides = [term['left'], term['right']].map((node) => ({ node: node as SyntaxNode, names: columnNames(node) }));
    const value = sides.find(({ names }) => names !== undefined && owns(names));
    const other = sides.find((side) => side !== value);
    if (value === undefined || other?.names === undefined || owns(other.names)) return [];
    return [{ ...at, column: other.node, values: valuesOf(value.node, leaf.table, where, scope) }];
  });
}

/** Of a column whose table is not named it is known only where the table is `devices`: in two it would be ambiguous. */
function ownsColumn(leaf: Leaf, scope: Scope): (names: readonly string[]) => boolean {
  const named = !isDevices(leaf, scope) || (leaf.table['column_name_alias'] as readonly unknown[]).length > 0;
  return (names) => (names.length > 1 ? names[0] === leaf.alias : !named && DEVICE_COLUMNS.has(names[0]!));
}

function isDevices({ table }: Leaf, scope: Scope): boolean {
  return table['type'] === 'BASE_TABLE' && isStaticTable(table, scope) && !scope.has(lowerCase(String(table['table_name'])));
}

function valuesOf(column: SyntaxNode, table: unknown, where: readonly SyntaxNode[], scope: Scope): SyntaxNode {
  return {
    type: 'SELECT_NODE',
    modifiers: [],
    cte_map: { map: expressionsOf(scope) },
    select_list: [column],
    from_table: table,
    where_clause: allOf(where),
    group_expressions: [],
    group_sets: [],
    aggregate_handling: 'STANDARD_HANDLING',
    having: null,
    sample: null,
    qualify: null,
  };
}

/** `column IN (SELECT …)`, `column = (SELECT …)`, `EXISTS (SELECT … WHERE id = table.column)` */
function subqueryJoin(term: SyntaxNode, scope: Scope): Compared | undefined {
  if (term['class'] === 'SUBQUERY' && term['comparison_type'] === 'COMPARE_EQUAL' && term['subquery_type'] === 'ANY') {
    return ofSubquery(term['child'], term, scope);
  }
  if (term['class'] === 'SUBQUERY' && term['subquery_type'] === 'EXISTS') return ofExists(queryOf(term), scope);
  if (term['type'] !== 'COMPARE_EQUAL') return undefined;
  const { left, right } = term;
  const isScalar = (node: unknown): node is SyntaxNode => isNode(node) && node['subquery_type'] === 'SCALAR';
  if (isScalar(right)) return ofSubquery(left, right, scope);
  return isScalar(left) ? ofSubquery(right, left, scope) : undefined;
}

function ofSubquery(column: unknown, subquery: SyntaxNode, scope: Scope): Compared | undefined {
  const query = queryOf(subquery);
  if (columnNames(column) === undefined || !isStatic(query, scope)) return undefined;
  const own = isNode(query['cte_map']) ? entriesOf(query['cte_map']) : [];
  return { column: column as SyntaxNode, values: { ...query, cte_map: { map: [...expressionsOf(scope), ...own] } } };
}

function ofExists(query: SyntaxNode, scope: Scope): Compared | undefined {
  if (query['type'] !== 'SELECT_NODE' || !isNode(query['cte_map']) || entriesOf(query['cte_map']).length > 0) return undefined;
  const { from_table: table } = query;
  if (!isPlain(query) || !isNode(table) || table['type'] !== 'BASE_TABLE') return undefined;
  const leaf = leafOf(table);
  if (!isDevices(leaf, scope)) return undefined;
  const terms = termsAt(query, 'where_clause', [leaf]);
  // What is said of outside has its table named, for here the columns of devices come first.
  const isOutside = ([table, ...column]: readonly string[]): boolean => column.length > 0 && !DEVICE_COLUMNS.has(table!);
  return comparisons(leaf, terms, terms, scope).find(({ column }) => isOutside(columnNames(column)!));
}

/** A row of the table makes one of the answer, and no row none: an aggregate gives one of nothing, too. */
function isPlain(query: SyntaxNode): boolean {
  const isEmpty = (part: unknown): boolean => !Array.isArray(part) || part.length === 0;
  return (
    ['modifiers', 'group_expressions', 'group_sets'].every((part) => isEmpty(query[part])) &&
    ['having', 'qualify', 'sample'].every((part) => (query[part] ?? null) === null) &&
    query['aggregate_handling'] === 'STANDARD_HANDLING' &&
    [...nodesOf(query['select_list'])].every((node) => node['class'] === undefined || PLAIN_CLASSES.has(node['class']))
  );
}

function queryOf(subquery: SyntaxNode): SyntaxNode {
  return (subquery['subquery'] as { node: SyntaxNode }).node;
}
