/*
 * The few statements of InfluxQL that programs send before they write: Telegraf and the libraries of InfluxDB 1 make their database and
 * look which there are. There is one store here, so that any database is there already.
 */
interface Result {
  readonly statement_id: number;
  readonly series?: readonly {
    readonly name?: string;
    readonly columns: readonly string[];
    readonly values: readonly (readonly unknown[])[];
  }[];
  readonly error?: string;
}

const MAX_STATEMENTS = 100;
const NOTHING_TO_DO = /^(?:create\s+database|create\s+retention\s+policy|alter\s+retention\s+policy)\s/i;
const SHOW_DATABASES = /^show\s+databases$/i;
const SHOW_POLICIES = /^show\s+retention\s+policies(?:\s+on\s+\S+)?$/i;

/** @param database that the request names, if any @returns undefined for what is no statement at all */
export function answerStatements(
  text: string,
  database: string | undefined,
): { readonly results: readonly Result[] } | undefined {
  const statements = text
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
  if (statements.length === 0 || statements.length > MAX_STATEMENTS) return undefined;
  return { results: statements.map((statement, id) => answerStatement(statement, id, database)) };
}

function answerStatement(statement: string, id: number, database: string | undefined): Result {
  if (NOTHING_TO_DO.test(statement)) return { statement_id: id };
  if (SHOW_DATABASES.test(statement)) {
    const names = [...new Set(['selsyn', ...(database === undefined ? [] : [database])])];
    return { statement_id: id, series: [{ name: 'databases', columns: ['name'], values: names.map((name) => [name]) }] };
  }
  if (SHOW_POLICIES.test(statement)) {
    const columns = ['name', 'duration', 'shardGroupDuration', 'replicaN', 'default'];
    return { statement_id: id, series: [{ columns, values: [['autogen', '0s', '24h0m0s', 1, true]] }] };
  }
  return { statement_id: id, error: 'InfluxQL is not answered here: read telemetry by the API, by SQL or by PromQL' };
}
