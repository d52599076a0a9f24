import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatTable } from '../table.ts';

interface QualityItem {
  readonly device: string;
  readonly metric: string;
  readonly kind: string;
  readonly count: number;
  readonly lastMs: number;
  readonly lastValue: number | boolean | string;
  readonly unit?: string;
}

type Options = AddressOptions & {
  readonly device?: string;
  readonly kind?: string;
  readonly limit: string;
  readonly json?: boolean;
};

/** `selsyn quality` */
export function addQualityCommand(program: Command): void {
  program
    .command('quality')
    .description('metrics whose points do not fit the device type: out of range, of another kind, in a unit that nobody knows')
    .option('--device <id>', 'only of this device')
    .option('--kind <kind>', 'out-of-range, wrong-type or unknown-unit')
    .option('--limit <count>', 'how many metrics', '50')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { items } = await new ApiClient(findServer(options)).get<{ items: readonly QualityItem[] }>('/telemetry-quality', {
        limit: options.limit,
        ...(options.device !== undefined && { device: options.device }),
        ...(options.kind !== undefined && { kind: options.kind }),
      });
      if (options.json === true) {
        for (const item of items) process.stdout.write(`${JSON.stringify(item)}\n`);
        return;
      }
      const rows = items.map((item) => [
        item.device,
        item.metric,
        item.unit === undefined ? item.kind : `${item.kind} ${item.unit}`,
        String(item.count),
        JSON.stringify(item.lastValue),
        new Date(item.lastMs).toISOString(),
      ]);
      const table = formatTable(['device', 'metric', 'what', 'points', 'last value', 'last time'], rows);
      process.stdout.write(`${rows.length === 0 ? 'nothing: all points fit their device types' : table}\n`);
    });
}
