import type { Command } from 'commander';
import { ApiClient, type Columns, type DeviceItem } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { emptyMetrics, tableOf } from '../telemetry-table.ts';

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
    .option('--last <duration>', 'the time up to now: 15m, 1h, 7d (default: from the oldest point on)')
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
      const client = new ApiClient(findServer(options));
      const path = `/devices/${encodeURIComponent(device)}/telemetry`;
      const response = await client.open(path, {
        metrics: options.metric,
        from: options.last === undefined ? options.from : `now-${options.last}`,
        to: options.to,
        every: options.every,
        fn: options.fn,
        tz: options.tz,
        limit: options.limit,
      });
      const columns = (await response.json()) as Columns;
      if (options.json === true) process.stdout.write(`${JSON.stringify(columns)}\n`);
      else {
        const table = tableOf(columns, {
          ...(options.metric === undefined ? {} : { order: options.metric.split(',') }),
          ...(options.every === undefined ? {} : { aggregated: true, timeZone: options.tz ?? 'UTC' }),
        });
        process.stdout.write(`${table ?? (await describeNothing(client, path))}\n`);
        const without = emptyMetrics(columns);
        if (table !== undefined && without.length > 0)
          process.stderr.write(`without ${options.every === undefined ? 'points' : 'numbers'} here: ${without.join(', ')}\n`);
      }
      const before = response.headers.get('selsyn-incomplete-before');
      if (before !== null)
        process.stderr.write(
          `points before ${before} were let go in part${options.every === undefined ? '; hours and days are kept: --every 1h, --every 1d' : '; what is said of that time is of the points that are left'}\n`,
        );
      if (response.headers.has('selsyn-next-cursor'))
        process.stderr.write(`more points are left: raise --limit (it is ${options.limit ?? ''}), or narrow the time\n`);
    });
}

/** One line for an answer without points: what the device has instead. */
async function describeNothing(client: ApiClient, path: string): Promise<string> {
  const latest = Object.entries(await client.get<NonNullable<DeviceItem['latest']>>(`${path}/latest`));
  if (latest.length === 0) return 'no points: the device has sent no telemetry yet';
  const newestMs = Math.max(...latest.map(([, [timeMs]]) => timeMs));
  const names = latest.map(([metric]) => metric);
  const shown = names.slice(0, 10).join(', ') + (names.length > 10 ? ` and ${names.length - 10} more` : '');
  return `no points: the device has ${shown}, the newest of ${new Date(newestMs).toISOString()}`;
}
