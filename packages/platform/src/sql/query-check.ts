import { ALLOWED_FUNCTIONS, ALLOWED_TABLE_FUNCTIONS, REFUSED_FUNCTIONS, REFUSED_PREFIXES } from './allowed-functions.ts';
import { otherName, withHint } from './error-hints.ts';
import { errorAt } from './sql-errors.ts';
import { lowerCase } from './syntax-tree.ts';
import { checkTimeZones } from './time-zone-check.ts';

/** The tables that there are. */
export const TABLES = ['telemetry', 'telemetry_1h', 'telemetry_1d', 'devices'] as const;

/** What a SELECT is made of, as json_serialize_sql names it. Anything else is refused, whatever it may do. */
const QUERY_NODES: ReadonlySet<string> = new Set(['SELECT_NODE', 'SET_OPERATION_NODE', 'RECURSIVE_CTE_NODE', 'CTE_NODE']);
const TABLE_NODES: ReadonlySet<string> = new Set([
  'BASE_TABLE',
  'SUBQUERY',
  'JOIN',
  'TABLE_FUNCTION',
  'EXPRESSION_LIST',
  'EMPTY',
  'PIVOT',
  'SHOW_REF',
]);
const EXPRESSION_CLASSES: ReadonlySet<string> = new Set([
  'BETWEEN',
  'CASE',
  'CAST',
  'COLLATE',
  'COLUMN_REF',
  'COMPARISON',
  'CONJUNCTION',
  'CONSTANT',
  'DEFAULT',
  'FUNCTION',
  'LAMBDA',
  'LAMBDA_REF',
  'OPERATOR',
  'POSITIONAL_REFERENCE',
  'STAR',
  'SUBQUERY',
  'TYPE',
  'WINDOW',
]);
const SHOW_TYPES: ReadonlySet<string> = new Set(['DESCRIBE', 'SUMMARY']);
/** Schemas that the parser itself writes where the query names none. */
const SYSTEM_SCHEMAS: ReadonlySet<unknown> = new Set(['', 'main', 'pg_catalog', 'system']);

type Node = Readonly<Record<string, unknown>>;
/** Names that stand for a common table expression, in lower case. */
type Names = ReadonlySet<string>;

/**
 * Lets only SELECT over the tables pass, by the syntax tree of the engine's own parser: every node of it must be one that
 * is known. Tables are found by name as the engine does: a common table expression, or one of the tables; nothing else has
 * a name, so that a file or a table of the engine's own cannot be named.
 *
 * @param serialized what json_serialize_sql gives for the query
 * @throws SelsynError `sql.invalid`, `sql.refused`
 */
export function checkQuery(serialized: string, sql: string): void {
  const tree = JSON.parse(serialized) as {
    readonly error: boolean;
    readonly error_type?: string;
    readonly error_message?: string;
    readonly position?: string;
    readonly statements?: readonly { readonly node: Node; readonly named_param_map?: readonly unknown[] }[];
  };
  if (tree.error) {
    if (tree.error_type === 'not implemented') throw errorAt('sql.refused', onlySelect(sql), sql, undefined);
    const position = tree.position === undefined ? undefined : Number(tree.position);
    throw errorAt('sql.invalid', withHint(tree.error_message ?? 'the query cannot be parsed', sql, position), sql, position);
  }
  const [statement, ...more] = tree.statements ?? [];
  if (statement === undefined) throw errorAt('sql.invalid', 'there is no query', sql, undefined);
  if (more.length > 0) throw errorAt('sql.refused', 'only one statement can be run: send each on its own', sql, undefined);
  new Check(sql).query(statement.node, new Set());
  checkTimeZones(statement.node, sql);
}

function onlySelect(sql: string): string {
  if (/^\s*pivot\b/i.test(sql)) return "PIVOT needs the values that become columns: ON metric IN ('temperature', 'humidity')";
  if (/^\s*explain\b/i.test(sql)) return 'only SELECT can be run; the statistics of an answer tell what was read for it';
  if (/^\s*(?:pragma|show|\.)/i.test(sql)) return `only SELECT can be run, and ${LISTS}`;
  return 'only SELECT can be run';
}

const LISTS = 'SHOW TABLES, which lists the tables, and DESCRIBE, which lists the columns of one';

class Check {
  readonly #sql: string;

  constructor(sql: string) {
    this.#sql = sql;
  }

  query(node: Node, outer: Names): void {
    if (!QUERY_NODES.has(String(node['type']))) throw this.#refused(`${String(node['type'])} is not taken`, node);
    const { cte_map: ctes, ...rest } = node;
    let names = outer;
    for (const { key, value } of (ctes as { map?: { key: string; value: Node }[] } | undefined)?.map ?? []) {
      // The first part of a recursive one does not see its own name, nor does one that is not recursive: it may be a table there.
      const { query, ...others } = value;
      this.query((query as { node: Node }).node, names);
      this.#all(others, names);
      names = new Set([...names, lowerCase(key)]);
    }
    const own = node['type'] === 'RECURSIVE_CTE_NODE' || node['type'] === 'CTE_NODE' ? node['cte_name'] : undefined;
    if (typeof own === 'string') {
      const { left, query, ...others } = rest;
      this.#all([left, query], names);
      this.#all(Object.values(others), new Set([...names, lowerCase(own)]));
    } else this.#all(Object.values(rest), names);
  }

  #all(value: unknown, names: Names): void {
    if (Array.isArray(value)) for (const item of value) this.#all(item, names);
    else if (typeof value === 'object' && value !== null) this.#node(value as Node, names);
  }

  #node(node: Node, names: Names): void {
    const type = String(node['type']);
    if (QUERY_NODES.has(type)) {
      this.query(node, names);
      return;
    }
    if (node['class'] !== undefined) this.#expression(node);
    else if ('query_location' in node) this.#table(node, type, names);
    // Constants may hold anything; they are values, never names.
    if (node['class'] === 'CONSTANT') return;
    if (type === 'TABLE_FUNCTION') {
      const { function: call, ...rest } = node;
      this.#all([...Object.values(rest), ...Object.values(call as Node)], names);
    } else this.#all(Object.values(node), names);
  }

  #expression(node: Node): void {
    if (node['class'] === 'PARAMETER') throw this.#refused('the query has a parameter, and none is given', node);
    if (!EXPRESSION_CLASSES.has(String(node['class']))) throw this.#refused(`${String(node['class'])} is not taken`, node);
    const name = node['function_name'];
    if (typeof name === 'string') this.#function(name, ALLOWED_FUNCTIONS, node);
  }

  #table(node: Node, type: string, names: Names): void {
    if (!TABLE_NODES.has(type)) throw this.#refused(`${type} is not taken`, node);
    if (type === 'TABLE_FUNCTION') {
      const call = node['function'] as Node;
      this.#function(String(call['function_name']), ALLOWED_TABLE_FUNCTIONS, node);
    }
    if (type === 'SHOW_REF' && !isShowTables(node) && !(SHOW_TYPES.has(String(node['show_type'])) && node['query'] !== null)) {
      throw this.#refused(
        `only DESCRIBE and SUMMARIZE of a query or a table can be shown; the tables are ${TABLES.join(', ')}`,
        node,
      );
    }
    if (type === 'BASE_TABLE') this.#base(node, names);
  }

  #base(node: Node, names: Names): void {
    const name = String(node['table_name']);
    if (node['schema_name'] !== '' || node['catalog_name'] !== '' || (node['at_clause'] ?? null) !== null) {
      throw this.#refused(`tables have no schema here; there are ${LISTS}`, node);
    }
    if (names.has(lowerCase(name)) || (TABLES as readonly string[]).includes(lowerCase(name))) return;
    throw this.#refused(`there is no table ${name}: the tables are ${TABLES.join(', ')}`, node);
  }

  #function(name: string, allowed: ReadonlySet<string>, node: Node): void {
    const system = ['schema', 'catalog'].every((key) => SYSTEM_SCHEMAS.has(node[key] ?? ''));
    // Names of operators and functions are found without regard to case.
    if (system && (allowed.has(name) || allowed.has(lowerCase(name)))) return;
    const isKnown =
      REFUSED_FUNCTIONS.has(lowerCase(name)) || REFUSED_PREFIXES.some((prefix) => lowerCase(name).startsWith(prefix));
    if (isKnown || !system || ALLOWED_FUNCTIONS.has(lowerCase(name))) {
      throw this.#refused(
        `the function ${name} cannot be called here: a query reads the tables ${TABLES.join(', ')} alone`,
        node,
      );
    }
    const other = otherName(name);
    throw this.#refused(`there is no function ${name}${other === undefined ? '' : `: write ${other}`}`, node);
  }

  #refused(message: string, node: Node): Error {
    return errorAt('sql.refused', message, this.#sql, Number(node['query_location'] ?? NaN));
  }
}

/** Within a query there are the tables alone. */
function isShowTables(node: Node): boolean {
  const named = ['catalog_name', 'schema_name'].some((key) => (node[key] ?? '') !== '');
  return node['show_type'] === 'SHOW_UNQUALIFIED' && node['query'] === null && node['table_name'] === '"tables"' && !named;
}
