import type { DuckDBConnection } from '@duckdb/node-api';

/** A node of the engine's syntax tree, as json_serialize_sql writes it. */
export type SyntaxNode = { [name: string]: unknown };

/** A query as a tree that can be changed, and made text again. */
export interface SyntaxTree {
  readonly error: boolean;
  readonly statements: { node: SyntaxNode; readonly named_param_map: readonly unknown[] }[];
}

/** Undefined where a number in it cannot be told exactly here. */
export function parseTree(serialized: string): SyntaxTree | undefined {
  let exact = true;
  const tree = JSON.parse(serialized, (key, value: unknown) => {
    if (key === 'query_location') return 0;
    if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) exact = false;
    return value;
  }) as SyntaxTree;
  return exact && !tree.error ? tree : undefined;
}

/** @param sql parameters are not taken */
export async function serializeQuery(connection: DuckDBConnection, sql: string): Promise<string> {
  const rows = await connection.runAndReadAll('SELECT json_serialize_sql($1::VARCHAR)', [sql]);
  return String(rows.getRows()[0]?.[0]);
}

/** The text of a query; undefined where it would not be read as the same again. */
export async function textOfTree(connection: DuckDBConnection, node: SyntaxNode): Promise<string | undefined> {
  const tree: SyntaxTree = { error: false, statements: [{ node, named_param_map: [] }] };
  const text = JSON.stringify(tree);
  const rows = await connection.runAndReadAll('SELECT json_deserialize_sql($1::JSON)', [text]);
  const sql = String(rows.getRows()[0]?.[0]);
  const again = parseTree(await serializeQuery(connection, sql));
  return JSON.stringify(again) === text ? sql : undefined;
}

/**
 * Every node below, itself too, as they stand in the query: O(1) for each, however deep.
 *
 * @param within whether to look into a node
 */
export function* nodesOf(root: unknown, within: (node: SyntaxNode) => boolean = () => true): Generator<SyntaxNode> {
  const left: unknown[] = [root];
  while (left.length > 0) {
    const value = left.pop();
    if (isNode(value)) yield value;
    if (Array.isArray(value)) left.push(...(value as unknown[]).toReversed());
    else if (isNode(value) && within(value)) left.push(...Object.values(value).toReversed());
  }
}

export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The terms that a condition joins by AND; none for no condition. */
export function termsOf(condition: unknown): SyntaxNode[] {
  if (!isNode(condition)) return [];
  return condition['type'] === 'CONJUNCTION_AND' ? (condition['children'] as SyntaxNode[]).flatMap(termsOf) : [condition];
}

export function allOf(terms: readonly SyntaxNode[]): SyntaxNode | null {
  if (terms.length <= 1) return terms[0] ?? null;
  return { class: 'CONJUNCTION', type: 'CONJUNCTION_AND', alias: '', query_location: 0, children: [...terms] };
}

/** `column IN ('text')` */
export function inText(column: SyntaxNode, text: string): SyntaxNode {
  const value = { type: { id: 'VARCHAR', type_info: null }, is_null: false, value: text };
  const constant = { class: 'CONSTANT', type: 'VALUE_CONSTANT', alias: '', query_location: 0, value };
  return { class: 'OPERATOR', type: 'COMPARE_IN', alias: '', query_location: 0, children: [column, constant] };
}

/** The names of a column, from that of its table on, in lower case; undefined for what is none. */
export function columnNames(node: unknown): string[] | undefined {
  if (!isNode(node) || node['class'] !== 'COLUMN_REF') return undefined;
  return (node['column_names'] as string[]).map(lowerCase);
}

/** As the engine compares names: only letters of ASCII have a case. */
export function lowerCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}
