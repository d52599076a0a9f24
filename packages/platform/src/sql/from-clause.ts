import { isNode, lowerCase, termsOf, type SyntaxNode } from './syntax-tree.ts';

/** A table of FROM. */
export interface Leaf {
  readonly table: SyntaxNode;
  /** Undefined: it has no name. */
  readonly alias: string | undefined;
}

/** The query or join whose condition a term is of, and the name of the condition in it. */
export interface TermPlace {
  readonly node: SyntaxNode;
  readonly condition: 'where_clause' | 'condition';
}

/** What a condition joins by AND, and the tables of FROM that it sees. */
export interface Term {
  readonly term: SyntaxNode;
  readonly at: TermPlace;
  readonly leaves: readonly Leaf[];
}

/** Tables of FROM, and the terms that hold for every row of the answer. */
export interface From {
  readonly leaves: Leaf[];
  readonly terms: Term[];
  /** That hold for the rows of a side of a join which may have none. */
  readonly optional: Term[];
}

/** Takes FROM apart. @returns false where some of it is not known */
export function takeApart(table: unknown, from: From): boolean {
  if (!isNode(table)) return false;
  if (table['type'] !== 'JOIN') {
    from.leaves.push(leafOf(table));
    return true;
  }
  if ((table['using_columns'] as readonly unknown[]).length > 0 || isNode(table['sample'])) return false;
  if (!['REGULAR', 'CROSS', 'ASOF'].includes(String(table['ref_type']))) return false;
  const { left, right } = table;
  const before = from.leaves.length;
  const within = (): readonly Leaf[] => from.leaves.slice(before);
  switch (table['join_type']) {
    case 'INNER':
      if (!takeApart(left, from) || !takeApart(right, from)) return false;
      from.terms.push(...termsAt(table, 'condition', within()));
      return true;
    case 'LEFT':
    case 'RIGHT':
      if (!takeApart(table['join_type'] === 'LEFT' ? left : right, from)) return false;
      from.optional.push(...termsAt(table, 'condition', within()));
      return true;
    default:
      return false;
  }
}

/** The terms of a condition. */
export function termsAt(node: SyntaxNode, condition: TermPlace['condition'], leaves: readonly Leaf[]): Term[] {
  return termsOf(node[condition]).map((term) => ({ term, at: { node, condition }, leaves }));
}

/** Whether no name stands for two tables. */
export function haveNames(table: unknown): boolean {
  const names = leavesOf(table).flatMap(({ alias }) => alias ?? []);
  return new Set(names).size === names.length;
}

function leavesOf(table: unknown): Leaf[] {
  if (!isNode(table)) return [];
  return table['type'] === 'JOIN' ? [...leavesOf(table['left']), ...leavesOf(table['right'])] : [leafOf(table)];
}

/** One table of it. */
export function leafOf(table: SyntaxNode): Leaf {
  const name = table['alias'] !== '' ? table['alias'] : table['table_name'];
  return { table, alias: typeof name === 'string' ? lowerCase(name) : undefined };
}
