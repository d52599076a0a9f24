import type { DuckDBConnection } from '@duckdb/node-api';
import { literal } from '../columnar/engine.ts';
import { deviceJoins, type DeviceJoin } from './device-joins.ts';
import { explainedPlan } from './query-plan.ts';
import type { SqlPlan } from './sql-calls.ts';
import { allOf, inText, parseTree, serializeQuery, termsOf, textOfTree, type SyntaxNode } from './syntax-tree.ts';

/** More devices are looked up one after the other for longer than the points of all take to be passed over. */
const MAX_VALUES = 20_000;
const MAX_JOINS = 16;

/**
 * Reads of telemetry only what a join with the devices leaves: the side of the devices is evaluated first, and what it gives is
 * written into the query as a list, for the engine to say how far down that goes. The query that runs is the one that was
 * asked; the lists change no answer, and so does nothing that they keep out.
 *
 * The connection has the table of the devices, and is within the transaction in which the query will run.
 *
 * @returns undefined when an error has ended the transaction: what was evaluated is of devices that the query may never look at
 */
export async function narrowPlan(connection: DuckDBConnection, sql: string, plan: SqlPlan): Promise<SqlPlan | undefined> {
  try {
    const narrowed = await narrowedQuery(connection, sql);
    if (narrowed === undefined) return plan;
    const { telemetry, hours, days, needsTypes } = await explainedPlan(connection, narrowed);
    return { telemetry, hours, days, devices: plan.devices, needsTypes: plan.needsTypes || needsTypes };
  } catch {
    return (await isAlive(connection)) ? plan : undefined;
  }
}

/** The query with lists; undefined where there is none to be written. */
async function narrowedQuery(connection: DuckDBConnection, sql: string): Promise<string | undefined> {
  const tree = parseTree(await serializeQuery(connection, sql));
  const [statement] = tree?.statements ?? [];
  if (statement === undefined) return undefined;
  const found: { readonly join: DeviceJoin; readonly values: readonly string[] }[] = [];
  for (const join of deviceJoins(statement.node).slice(0, MAX_JOINS)) {
    const values = await valuesOf(connection, join.values);
    if (values !== undefined) found.push({ join, values });
  }
  // Once all are known: what one asks for is a part of the query that may get a list, too.
  const lists = found.map(({ join, values }, index) => {
    addTerm(join, placeOf(index));
    // With no values the condition holds for no row: then it may say anything, and no device has this id.
    return (values.length === 0 ? [''] : values).map(literal).join(', ');
  });
  if (lists.length === 0 || sql.includes(PLACE)) return undefined;
  const text = await textOfTree(connection, statement.node);
  // All at once: what devices are called may look like the place of another list.
  return text?.replaceAll(PLACES, (_, index: string) => lists[Number(index)]!);
}

const PLACE = 'selsyn: values of ';
const PLACES = new RegExp(`'${PLACE}(\\d+);'`, 'g');

function placeOf(index: number): string {
  return `${PLACE}${index};`;
}

function addTerm({ node, condition, column }: DeviceJoin, place: string): void {
  node[condition] = allOf([...termsOf(node[condition]), inText(column, place)]);
}

/** What a query of one column of text gives; undefined where it is another, or cannot be asked alone, or gives too much. */
async function valuesOf(connection: DuckDBConnection, query: SyntaxNode): Promise<string[] | undefined> {
  const text = await textOfTree(connection, query);
  if (text === undefined) return undefined;
  const prepared = await connection.prepare(`SELECT DISTINCT * FROM (${text}) LIMIT ${MAX_VALUES + 1}`).catch(() => undefined);
  if (prepared === undefined) return undefined;
  try {
    const rows = await prepared.runAndReadAll();
    if (rows.columnCount !== 1 || String(rows.columnType(0)) !== 'VARCHAR') return undefined;
    const values = rows.getRows().map(([value]) => value);
    return values.length > MAX_VALUES ? undefined : values.filter((value) => typeof value === 'string');
  } finally {
    prepared.destroySync();
  }
}

async function isAlive(connection: DuckDBConnection): Promise<boolean> {
  return await connection.run('SELECT 1').then(
    () => true,
    () => false,
  );
}
