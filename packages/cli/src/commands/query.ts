import type { Command } from 'commander';
import { ApiClient, type Columns } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatTable } from '../table.ts';

interface QueryOptions extends AddressOptions {
  readonly metric?: string;
  readonly last?: string;
  readonly from?: string;
  readonly to?: string;
  readonly every?: string;
  readonly fn?: string;
  readonly tz?: string;
  readonly limit?: string;
  readonly json?: boolean;
}

/** `selsyn query DEVICE --metric temperature --last 1h --every 1m` */
export function addQueryCommand(program: Command): void {
  program
    .command('query <device>')
    .description('print the telemetry of a device as a table')
    .option('--metric <names>', 'metrics, comma-separated (default: all)')
    .option('--last <duration>', 'the time up to now: 15m, 1h, 7d')
    .option('--from <time>', 'from this time on: ISO 8601, ms, now-1h')
    .option('--to <time>', 'before this time')
    .option('--every <interval>', 'aggregate: 1m, 15m, 1h, 1d, 1w, 1mo')
    .option('--fn <function>', 'mean, min, max, sum, count, first or last (with --every)')
    .option('--tz <zone>', 'time zone of the intervals, as Europe/Berlin')
    .option('--limit <points>', 'at most so many points', '10000')
    .option('--json', 'print JSON as the API gives it')
    .action(async (device: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<QueryOptions>();
      if (options.last !== undefined && options.from !== undefined) throw new CliError('give --last or --from, not both');
      if (options.every === undefined && (options.fn !== undefined || options.tz !== undefined))
        throw new CliError('--fn and --tz need --every');
      const response = await new ApiClient(findServer(options)).open(`/devices/${encodeURIComponent(device)}/telemetry`, {
        metrics: options.metric,
        from: options.last === undefined ? options.from : `now-${options.last}`,
        to: options.to,
        every: options.every,
        fn: options.fn,
        tz: options.tz,
        limit: options.limit,
      });
      const columns = (await response.json()) as Columns;
      process.stdout.write(`${options.json === true ? JSON.stringify(columns) : tableOf(columns)}\n`);
      if (response.headers.has('selsyn-next-cursor'))
        process.stderr.write(`more points are left: raise --limit (it is ${options.limit ?? ''}), or narrow the time\n`);
    });
}

/** One row a time, one column a metric. */
export function tableOf(columns: Columns): string {
  const metrics = Object.keys(columns);
  const rows = new Map<number, string[]>();
  for (const [column, metric] of metrics.entries()) {
    for (const [timeMs, value] of columns[metric] ?? []) {
      let row = rows.get(timeMs);
      if (row === undefined) rows.set(timeMs, (row = [new Date(timeMs).toISOString(), ...metrics.map(() => '')]));
      row[column + 1] = String(value);
    }
  }
  if (rows.size === 0) return 'no points';
  const sorted = [...rows].sort(([a], [b]) => a - b).map(([, row]) => row);
  return formatTable(['time', ...metrics], sorted);
}
