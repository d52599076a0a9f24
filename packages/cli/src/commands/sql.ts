import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { text } from 'node:stream/consumers';
import { Option, type Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { pointAt, type SqlAnswer, sqlTable, statisticsLine } from '../sql-table.ts';
import { counted } from '../table.ts';

const FORMATS = ['table', 'json', 'csv', 'arrow', 'parquet'] as const;
type Format = (typeof FORMATS)[number];
/** A table is for eyes. */
const TABLE_ROWS = 1_000;
const NO_QUERY = 'give a query, as: selsyn sql "SELECT count(*) FROM telemetry"';
/** More than a server lets a query wait and run. */
const REQUEST_DEADLINE_MS = 16 * 60_000;

interface SqlOptions extends AddressOptions {
  readonly file?: string;
  readonly format?: Format;
  readonly output?: string;
  readonly limit?: string;
  readonly seconds?: string;
  readonly stats?: boolean;
}

/** `selsyn sql "SELECT device, avg(value) FROM telemetry WHERE time > now() - INTERVAL 1 HOUR GROUP BY device"` */
export function addSqlCommand(program: Command): void {
  program
    .command('sql [query]')
    .description(
      'run a SELECT over telemetry, telemetry_1h, telemetry_1d and devices; without a query it is read from standard input',
    )
    .option('-f, --file <file>', 'read the query from a file')
    .option('-o, --output <file>', 'write the answer there')
    .addOption(new Option('--format <format>', 'default: table, with -o by the name of the file').choices(FORMATS))
    .option('--limit <rows>', `end after so many rows (default: as many as the server allows; a table: ${TABLE_ROWS})`)
    .option('--seconds <seconds>', 'give up after so long')
    .option('--stats', 'say what was read for the query')
    .action(async (query: string | undefined, _: unknown, command: Command) => {
      await run(query, command.optsWithGlobals<SqlOptions>());
    });
}

async function run(query: string | undefined, options: SqlOptions): Promise<void> {
  const sql = await textOf(query, options);
  if (sql.trim() === '') throw new CliError(NO_QUERY);
  const { output } = options;
  const format = options.format ?? (output === undefined ? 'table' : formatOf(output));
  const rows = options.limit === undefined ? (format === 'table' ? TABLE_ROWS : undefined) : positive(options.limit, '--limit');
  const seconds = options.seconds === undefined ? undefined : positive(options.seconds, '--seconds');
  const client = new ApiClient(findServer(options));
  const body = { sql, format: format === 'table' ? 'json' : format, limits: { rows, seconds } };
  let response: Response;
  try {
    response = await client.openPost('/sql', body, AbortSignal.timeout(REQUEST_DEADLINE_MS));
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    throw new CliError(pointAt(error.message, sql), error.code, error.retryable);
  }
  if (format === 'table') {
    const answer = (await response.json()) as SqlAnswer;
    await write(Buffer.from(`${sqlTable(answer)}\n`), output);
  } else await save(response, output);
  const told = Number(response.headers.get('selsyn-sql-rows'));
  if (response.headers.get('selsyn-sql-limited') === 'true')
    note(`only the first ${counted(told, 'row')}: there may be more (--limit)`);
  else if (output !== undefined) note(`${output}: ${counted(told, 'row')}`);
  if (options.stats === true) note(statisticsLine(response.headers.get('selsyn-sql-statistics')));
}

async function textOf(query: string | undefined, { file }: SqlOptions): Promise<string> {
  if (query !== undefined && file !== undefined) throw new CliError('give a query or --file, not both');
  if (file !== undefined) {
    return await readFile(file, 'utf8').catch((error: unknown) => {
      throw new CliError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    });
  }
  if (query !== undefined && query !== '-') return query;
  if (query === undefined && process.stdin.isTTY) throw new CliError(NO_QUERY);
  return await text(process.stdin);
}

function formatOf(path: string): Format {
  const ending = /\.(json|csv|arrow|parquet)$/i.exec(path)?.[1]?.toLowerCase();
  if (ending !== undefined) return ending as Format; // one of those in the pattern
  throw new CliError(`${path} does not say what it shall be: give --format`);
}

async function write(bytes: Uint8Array, output: string | undefined): Promise<void> {
  if (output !== undefined && output !== '-') {
    await pipeline([bytes], createWriteStream(output)).catch((error: unknown) => {
      throw unwritable(output, error);
    });
    return;
  }
  if (!process.stdout.write(bytes)) await once(process.stdout, 'drain');
}

/** A file is there whole or not at all. */
async function save(response: Response, output: string | undefined): Promise<void> {
  const chunks = (response.body ?? []) as AsyncIterable<Uint8Array>;
  if (output === undefined || output === '-') {
    for await (const chunk of chunks) await write(chunk, undefined);
    return;
  }
  try {
    await pipeline(chunks, createWriteStream(output));
  } catch (error) {
    await rm(output, { force: true });
    throw unwritable(output, error);
  }
}

function unwritable(output: string, error: unknown): CliError {
  return new CliError(`${output} could not be written: ${error instanceof Error ? error.message : String(error)}`);
}

function positive(value: string, option: string): number {
  const number = Number(value);
  if (!(number > 0)) throw new CliError(`${option} is a number above 0`);
  return number;
}

function note(line: string): void {
  process.stderr.write(`${line}\n`);
}
