import type { DuckDBConnection } from '@duckdb/node-api';
import { boundsOf, union, type TableBounds } from './filter-text.ts';
import { checkQuery, TABLES } from './query-check.ts';
import type { SqlPlan, TablePart } from './sql-calls.ts';
import { engineError } from './sql-errors.ts';
import { serializeQuery } from './syntax-tree.ts';
import { TABLE_COLUMNS } from './table-columns.ts';

/** More parts are joined into one that has all of them: each costs a look for each series. */
const MAX_PARTS = 8;
const EXPLAIN = 'EXPLAIN (FORMAT json) ';

interface PlanNode {
  readonly name?: string;
  readonly children?: readonly PlanNode[];
  readonly extra_info?: {
    readonly Table?: string;
    readonly Projections?: string | readonly string[];
    readonly Filters?: string | readonly string[];
  };
}

/**
 * Asks the engine what it would read of the tables if they were there: it pushes conditions through views, common table
 * expressions and joins, and computes what is constant, `now()` too.
 *
 * The connection is within the transaction in which the query will run: for both it is the same now.
 *
 * @throws SelsynError `sql.invalid`, `sql.refused`
 */
export async function planQuery(connection: DuckDBConnection, sql: string): Promise<SqlPlan> {
  await check(connection, sql);
  return await explainedPlan(connection, sql);
}

/** The plan of a query that was checked. Tables that are not there are made empty, and gone again afterwards. */
export async function explainedPlan(connection: DuckDBConnection, sql: string): Promise<SqlPlan> {
  // With statistics the engine would see that the tables are empty, and read nothing.
  await connection.run(`SET disabled_optimizers = 'statistics_propagation'`);
  const known = await connection.runAndReadAll('SELECT table_name FROM duckdb_tables()');
  const made = TABLES.filter((table) => !known.getRows().some(([name]) => name === table));
  for (const table of made) await connection.run(`CREATE TABLE ${table} (${TABLE_COLUMNS[table]})`);
  let explained: string;
  try {
    const rows = await connection.runAndReadAll(EXPLAIN + sql);
    explained = String(rows.getRows()[0]?.[1]);
  } catch (error) {
    throw engineError(error, sql, EXPLAIN.length);
  }
  for (const table of made) await connection.run(`DROP TABLE ${table}`);
  await connection.run(`SET disabled_optimizers = ''`);
  return planOf(scansIn(JSON.parse(explained) as readonly PlanNode[]));
}

async function check(connection: DuckDBConnection, sql: string): Promise<void> {
  let serialized: string;
  try {
    serialized = await serializeQuery(connection, sql);
  } catch (error) {
    throw engineError(error, sql, 0);
  }
  checkQuery(serialized, sql);
}

interface TableScan extends TableBounds {
  readonly table: string;
  readonly asksType: boolean;
}

function scansIn(nodes: readonly PlanNode[]): TableScan[] {
  return nodes.flatMap(({ children = [], extra_info: info }) => {
    const scans = scansIn(children);
    const table = info?.Table?.split('.').at(-1);
    if (table === undefined) return scans;
    const filters = listOf(info?.Filters);
    const asksType = [...listOf(info?.Projections), ...filters].some((text) => text.includes('device_type'));
    return [...scans, { table, asksType, ...boundsOf(filters) }];
  });
}

function listOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined || value === '') return [];
  return typeof value === 'string' ? [value] : value;
}

function planOf(scans: readonly TableScan[]): SqlPlan {
  const of = (table: string): TableScan[] => scans.filter((scan) => scan.table === table);
  const devices = of('devices');
  const { ids, group } = union(devices);
  return {
    telemetry: parts(of('telemetry')),
    hours: parts(of('telemetry_1h')),
    days: parts(of('telemetry_1d')),
    devices:
      devices.length === 0 ? undefined : { ...(ids === undefined ? {} : { ids }), ...(group === undefined ? {} : { group }) },
    needsTypes: scans.some(({ asksType }) => asksType),
  };
}

function parts(scans: readonly TableScan[]): TablePart[] {
  const some = scans.filter(({ fromMs, toMs }) => fromMs < toMs).map(partOf);
  return some.length <= MAX_PARTS ? some : [partOf(union(some))];
}

function partOf({ fromMs, toMs, devices, metrics, deviceTypes }: TableBounds): TablePart {
  return {
    fromMs,
    toMs,
    ...(devices === undefined ? {} : { devices }),
    ...(metrics === undefined ? {} : { metrics }),
    ...(deviceTypes === undefined ? {} : { deviceTypes }),
  };
}
