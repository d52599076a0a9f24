import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Option, type Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { openProgress } from '../import/import-progress.ts';
import { printable } from '../printable.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { counted } from '../table.ts';
import { ask, type ExportFormat, type ExportQuery, exportToFile } from '../telemetry/export-file.ts';
import { type ImportPart, parquetParts, textParts } from '../telemetry/import-parts.ts';
import { type ImportState, KeptImportState } from '../telemetry/import-state.ts';

interface ExportOptions extends AddressOptions {
  readonly output?: string;
  readonly format?: ExportFormat;
  readonly device?: string;
  readonly group?: string;
  readonly filter?: string;
  readonly metric?: string;
  readonly last?: string;
  readonly from?: string;
  readonly to?: string;
}

interface ImportOptions extends AddressOptions {
  readonly format?: ExportFormat;
  readonly anew?: boolean;
}

interface WriteAnswer {
  readonly points: number;
  readonly refused: number;
  readonly problems: readonly { readonly row?: number; readonly message: string }[];
}

const FORMATS: readonly ExportFormat[] = ['csv', 'jsonl', 'parquet'];
const SHOWN_PROBLEMS = 10;
const FIRST_WAIT_MS = 250;
const MAX_WAIT_MS = 5_000;
const PATIENCE_MS = 120_000;

/** `selsyn telemetry export|import` */
export function addTelemetryCommands(program: Command): void {
  const telemetry = program.command('telemetry').description('take telemetry out and bring it in, in any amount');
  telemetry
    .command('export')
    .description('write points as CSV, lines of JSON or Parquet. Broken off, the same command goes on')
    .option('-o, --output <file>', 'where to write (default: standard output)')
    .addOption(new Option('--format <format>', 'default: by the name of the file, else jsonl').choices(FORMATS))
    .option('--device <ids>', 'only these devices, comma-separated')
    .option('--group <path>', 'only devices in this group or below')
    .option('--filter <filter>', 'only devices that match, as: type = "pump"')
    .option('--metric <names>', 'only these metrics, comma-separated')
    .option('--last <duration>', 'the time up to now: 1h, 7d (default: all)')
    .option('--from <time>', 'from this time on: ISO 8601, ms, now-1h')
    .option('--to <time>', 'before this time')
    .action(async (_: unknown, command: Command) => {
      await exportTelemetry(command.optsWithGlobals<ExportOptions>());
    });
  telemetry
    .command('import <file>')
    .description('write the points of a file of CSV, lines of JSON or Parquet. Broken off, the same command goes on')
    .addOption(new Option('--format <format>', 'of the file (default: by its name)').choices(FORMATS))
    .option('--anew', 'begin at the beginning, also where an import of this file was broken off')
    .action(async (file: string, _: unknown, command: Command) => {
      await importTelemetry(file, command.optsWithGlobals<ImportOptions>());
    });
}

async function exportTelemetry(options: ExportOptions): Promise<void> {
  const { output, device, group, filter, metric, last, from, to } = options;
  if (last !== undefined && from !== undefined) throw new CliError('give --last or --from, not both');
  const format = options.format ?? (output === undefined ? 'jsonl' : formatOf(output));
  const query: ExportQuery = {
    format,
    device,
    group,
    filter,
    metrics: metric,
    from: last === undefined ? from : `now-${last}`,
    to,
  };
  const server = findServer(options);
  if (output === undefined || output === '-') {
    for await (const chunk of (await ask(server, query, undefined)) as AsyncIterable<Buffer>) {
      if (!process.stdout.write(chunk)) await once(process.stdout, 'drain');
    }
    return;
  }
  const view = openProgress(process.stderr);
  try {
    const rows = await exportToFile({ server, query, path: output, view, note, wait: async (ms) => await sleep(ms) });
    const { size } = await stat(output);
    note(`${output}: ${rows === undefined ? '' : `${counted(rows, 'point')}, `}${size.toLocaleString('en-US')} bytes`);
  } finally {
    view.stop();
  }
}

async function importTelemetry(file: string, options: ImportOptions): Promise<void> {
  const format = options.format ?? formatOf(file);
  const server = findServer(options);
  const client = new ApiClient(server);
  const { size } = await stat(file).catch((error: unknown) => {
    throw new CliError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  });
  const kept = new KeptImportState(server.url, file, process.env);
  if (options.anew === true) kept.forget();
  let state = kept.read();
  if (state.rows > 0) note(`going on after ${counted(state.rows, 'row')}`);
  const parts = format === 'parquet' ? parquetParts(file, state.position) : textParts(file, format, state.position);
  const view = openProgress(process.stderr);
  const problems: string[] = [];
  const onInterrupt = (): void => {
    view.stop();
    note('broken off; what came in stays. The same command goes on');
    process.exit(130);
  };
  process.once('SIGINT', onInterrupt);
  try {
    for await (const part of parts) {
      const answer = await send(client, part);
      for (const { row, message } of answer.problems) {
        if (problems.length < SHOWN_PROBLEMS) problems.push(row === undefined ? message : `row ${state.rows + row}: ${message}`);
      }
      state = after(state, part, answer);
      kept.write(state);
      const ofBytes = format === 'parquet' ? undefined : size;
      view.update({ bytes: format === 'parquet' ? 0 : state.position, ofBytes, rows: state.rows, refused: state.refused });
    }
  } finally {
    view.stop();
    process.off('SIGINT', onInterrupt);
  }
  kept.forget();
  process.stdout.write(
    `${counted(state.points, 'point')} of ${counted(state.rows, 'row')}, ${state.refused.toLocaleString('en-US')} refused\n`,
  );
  if (state.refused === 0) return;
  process.exitCode = 1;
  for (const problem of problems) process.stdout.write(`  ${printable(problem)}\n`);
}

function after(state: ImportState, part: ImportPart, answer: WriteAnswer): ImportState {
  return {
    position: part.position,
    rows: state.rows + part.rows,
    points: state.points + answer.points,
    refused: state.refused + answer.refused,
  };
}

/** The same part twice writes the same points: where no answer came, it is sent again. @throws CliError */
async function send(client: ApiClient, { bytes, type }: ImportPart): Promise<WriteAnswer> {
  let waitMs = FIRST_WAIT_MS;
  for (let waitedMs = 0; ;) {
    try {
      return await client.postBytes<WriteAnswer>('/telemetry', { partial: 'true' }, bytes, type);
    } catch (error) {
      if (!(error instanceof CliError) || !error.retryable || waitedMs >= PATIENCE_MS) throw error;
      if (waitedMs === 0) note(`${error.message}; waiting`);
      await sleep(waitMs);
      waitedMs += waitMs;
      waitMs = Math.min(MAX_WAIT_MS, waitMs * 2);
    }
  }
}

function formatOf(path: string): ExportFormat {
  const format =
    FORMATS.find((each) => path.toLowerCase().endsWith(`.${each}`)) ?? (path.endsWith('.ndjson') ? 'jsonl' : undefined);
  if (format !== undefined) return format;
  throw new CliError(`the format of ${path} cannot be told by its name: add --format csv, jsonl or parquet`);
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
