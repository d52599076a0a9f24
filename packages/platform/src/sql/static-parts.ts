import { columnNames, isNode, lowerCase, nodesOf, type SyntaxNode } from './syntax-tree.ts';

/** A common table expression: its entry in the tree; undefined where it needs more than the devices. */
export type Scope = ReadonlyMap<string, SyntaxNode | undefined>;

const QUERY_NODES: ReadonlySet<unknown> = new Set(['SELECT_NODE', 'SET_OPERATION_NODE']);
const TABLE_NODES: ReadonlySet<unknown> = new Set(['BASE_TABLE', 'SUBQUERY', 'JOIN', 'EXPRESSION_LIST', 'EMPTY']);
const CLASSES: ReadonlySet<unknown> = new Set([
  'BETWEEN',
  'CASE',
  'CAST',
  'COLUMN_REF',
  'COMPARISON',
  'CONJUNCTION',
  'CONSTANT',
  'FUNCTION',
  'OPERATOR',
  'STAR',
  'SUBQUERY',
]);
const TERM_CLASSES: ReadonlySet<unknown> = new Set([...CLASSES].filter((name) => name !== 'STAR' && name !== 'SUBQUERY'));
/** What may give another value the next time: by chance, by the order of rows (sums of floats too), or by which row it takes. */
const UNSTABLE: ReadonlySet<string> = new Set(
  `any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null arg_max_nulls_last arg_min
  arg_min_null arg_min_nulls_last argmax argmin array_agg avg corr covar_pop covar_samp entropy favg first fsum
  gen_random_uuid geomean geometric_mean get_current_time group_concat json_group_array json_group_object
  json_group_structure kahan_sum kurtosis kurtosis_pop last list listagg mad max_by mean min_by mode product random
  regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy reservoir_quantile sem
  skewness stddev stddev_pop stddev_samp string_agg sum sumkahan uuid uuidv4 uuidv7 var_pop var_samp variance wavg
  weighted_avg`.split(/\s+/),
);

/** Whether a query or a table gives the same rows each time, of the devices alone. What it names of outside of it is not looked at. */
export function isStatic(node: unknown, outer: Scope): boolean {
  const scope = isNode(node) ? withExpressions(outer, node) : outer;
  if (Array.isArray(node)) return node.every((item) => isStatic(item, scope));
  if (!isNode(node)) return true;
  if (node['class'] !== undefined) {
    if (!isStable(node, CLASSES)) return false;
  } else if (node['type'] === 'BASE_TABLE') return isStaticTable(node, scope);
  else if ('query_location' in node && !TABLE_NODES.has(node['type'])) return false;
  else if (isCut(node)) return false;
  // Constants hold values.
  if (node['class'] === 'CONSTANT') return true;
  const { cte_map: expressions, ...rest } = node;
  if (isNode(expressions) && !entriesOf(expressions).every(({ key }) => scope.get(lowerCase(key)) !== undefined)) return false;
  return Object.values(rest).every((value) => isStatic(value, scope));
}

/** `devices`, or a common table expression that is static. */
export function isStaticTable(node: SyntaxNode, scope: Scope): boolean {
  const name = lowerCase(String(node['table_name']));
  if ((node['sample'] ?? null) !== null) return false;
  return scope.has(name) ? scope.get(name) !== undefined : name === 'devices';
}

/** Whether all of a condition is made of columns that `owns` knows, and at least one. */
export function isConditionOn(term: SyntaxNode, owns: (column: readonly string[]) => boolean): boolean {
  let columns = 0;
  for (const node of nodesOf(term)) {
    if (node['class'] === undefined) continue;
    if (!isStable(node, TERM_CLASSES)) return false;
    const names = columnNames(node);
    if (names === undefined) continue;
    if (!owns(names)) return false;
    columns++;
  }
  return columns > 0;
}

/**
 * The names that a query sees: those of outside and its own.
 *
 * @param visit told of each of its own, with the names that it sees: those before it
 */
export function withExpressions(
  outer: Scope,
  node: SyntaxNode,
  visit: (query: SyntaxNode, before: Scope) => void = () => {},
): Scope {
  const entries = isNode(node['cte_map']) ? entriesOf(node['cte_map']) : [];
  if (entries.length === 0) return outer;
  const scope = new Map(outer);
  for (const entry of entries) {
    const name = lowerCase(entry.key);
    visit(entry.value.query.node, new Map(scope));
    // Where one hides another it is not told here which of them a name is.
    const known = scope.has(name);
    scope.set(name, !known && isStatic(entry.value.query.node, scope) ? (entry as unknown as SyntaxNode) : undefined);
  }
  return scope;
}

/** What a query takes along that is asked alone: the expressions that it may name. */
export function expressionsOf(scope: Scope): SyntaxNode[] {
  return [...scope.values()].filter((entry) => entry !== undefined);
}

interface Expression {
  readonly key: string;
  readonly value: { readonly query: { readonly node: SyntaxNode } };
}

export function entriesOf(expressions: SyntaxNode): readonly Expression[] {
  return (expressions['map'] as readonly Expression[] | undefined) ?? [];
}

function isStable(node: SyntaxNode, classes: ReadonlySet<unknown>): boolean {
  if (!classes.has(node['class'])) return false;
  const { function_name: name } = node;
  return typeof name !== 'string' || !UNSTABLE.has(lowerCase(name));
}

/** Some of its rows are taken, and it may depend on their order which. */
function isCut(node: SyntaxNode): boolean {
  if ('cte_map' in node && !QUERY_NODES.has(node['type'])) return true;
  if (isNode(node['sample']) || isNode(node['having']) || node['ref_type'] === 'POSITIONAL') return true;
  const { type } = node;
  if (typeof type === 'string' && type.startsWith('LIMIT')) return true;
  return type === 'DISTINCT_MODIFIER' && (node['distinct_on_targets'] as readonly unknown[]).length > 0;
}
