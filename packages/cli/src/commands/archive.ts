import type { ArchivedObjectJson, ArchiveStatusJson } from '@selsyn/platform/api/archive-routes.ts';
import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { printable } from '../printable.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatAge, formatBytes, formatDuration, formatTable } from '../table.ts';

type Options = AddressOptions & { readonly json?: boolean };

/** `selsyn archive` */
export function addArchiveCommands(program: Command): void {
  const archive = program.command('archive').description('the archive of telemetry in Parquet');

  archive
    .command('status', { isDefault: true })
    .description('show how the archive gets on')
    .option('--json', 'print JSON')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const status = await new ApiClient(findServer(options)).get<ArchiveStatusJson>('/archive');
      process.stdout.write(`${options.json === true ? JSON.stringify(status) : textOf(status)}\n`);
    });

  archive
    .command('objects')
    .description('list the objects that count')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const rows: string[][] = [];
      for await (const object of new ApiClient(findServer(options)).pages<ArchivedObjectJson>('/archive/objects', {
        limit: 1_000,
      })) {
        if (options.json === true) process.stdout.write(`${JSON.stringify(object)}\n`);
        else rows.push([object.key, String(object.points), formatBytes(object.bytes), formatAge(Date.now() - object.storedAtMs)]);
      }
      if (options.json !== true) process.stdout.write(`${formatTable(['object', 'points', 'size', 'age'], rows)}\n`);
    });

  archive
    .command('run')
    .description('archive the hours that are over now, without waiting for points that are late')
    .action(async (_: unknown, command: Command) => {
      await new ApiClient(findServer(command.optsWithGlobals<Options>())).send('/archive/run');
      process.stdout.write('the archive is being brought up to date: selsyn archive\n');
    });
}

function textOf(status: ArchiveStatusJson): string {
  const { state, place, objects, bytes, points, backlogHours, lagMs, openErasures, lastStoredAtMs, lastError } = status;
  if (status.target === 'off') return 'no archive is configured (archive.target)';
  const perPoint = points === 0 ? '' : `, ${(bytes / points).toFixed(2)} bytes a point`;
  return [
    `${state}, in ${place ?? ''}`,
    `${objects} objects, ${formatBytes(bytes)}, ${points} points${perPoint}`,
    backlogHours === 0
      ? 'all that is due is archived'
      : `${backlogHours} hours to be archived, the oldest ended ${formatDuration(lagMs)} ago`,
    ...(openErasures === 0 ? [] : [`${openErasures} devices are being erased`]),
    ...(lastStoredAtMs === undefined ? [] : [`stored last ${formatAge(Date.now() - lastStoredAtMs)} ago`]),
    ...(lastError === undefined
      ? []
      : [`failed ${formatAge(Date.now() - lastError.atMs)} ago: ${printable(lastError.message)} (${lastError.code})`]),
  ].join('\n');
}
