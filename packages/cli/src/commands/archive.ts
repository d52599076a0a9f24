import type {
  ArchivedObjectJson,
  ArchiveRunJson,
  ArchiveStatusJson,
  BadObjectJson,
} from '@selsyn/platform/api/archive-schemas.ts';
import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { archiveText, badObjectsText, leftText, runText } from '../archive-lines.ts';
import { CliError } from '../cli-error.ts';
import { printable } from '../printable.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatAge, formatBytes, formatTable } from '../table.ts';

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
      process.stdout.write(`${options.json === true ? JSON.stringify(status) : archiveText(status, Date.now())}\n`);
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
      if (options.json === true) return;
      const text = rows.length === 0 ? 'no objects yet' : formatTable(['object', 'points', 'size', 'age'], rows);
      process.stdout.write(`${text}\n`);
    });

  archive
    .command('run')
    .description('archive the hours that are over now, without waiting for late points; what is in memory is stored first')
    .action(async (_: unknown, command: Command) => {
      const api = new ApiClient(findServer(command.optsWithGlobals<Options>()));
      const { left } = await api.post<ArchiveRunJson>('/archive/run');
      if (left !== undefined) process.stdout.write(`${leftText(left)}\n`);
      process.stdout.write(`${runText(await api.get<ArchiveStatusJson>('/archive'))}\n`);
    });

  archive
    .command('bad')
    .description('list the objects that are damaged or gone')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const found: BadObjectJson[] = [];
      const api = new ApiClient(findServer(options));
      for await (const object of api.pages<BadObjectJson>('/archive/bad-objects', { limit: 1_000 })) found.push(object);
      const lines = options.json === true ? found.map((object) => JSON.stringify(object)) : [badObjectsText(found, Date.now())];
      for (const line of lines) process.stdout.write(`${line}\n`);
    });

  archive
    .command('give-up <id>')
    .description('delete an object that is damaged or gone, for good; refused where it is neither')
    .option('--yes', 'yes, give it up')
    .action(async (id: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options & { readonly yes?: boolean }>();
      if (!/^\d{1,15}$/.test(id)) throw new CliError(`${printable(id)} is not the id of an object: selsyn archive bad tells it`);
      if (options.yes !== true) throw new CliError(`what the archive has in the object ${id} would be gone for good: say --yes`);
      const { key, points } = await new ApiClient(findServer(options)).post<BadObjectJson>(`/archive/bad-objects/${id}/give-up`);
      process.stdout.write(`given up: ${printable(key)}, with ${points} points\n`);
    });

  archive
    .command('rebuild')
    .description('take over objects in the store that the manifest does not know: it was lost, or is an old copy')
    .action(async (_: unknown, command: Command) => {
      await new ApiClient(findServer(command.optsWithGlobals<Options>())).send('/archive/rebuild');
      process.stdout.write('the objects are being read and taken over: selsyn archive\n');
    });
}
