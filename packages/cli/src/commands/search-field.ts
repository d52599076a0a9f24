import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatTable } from '../table.ts';

interface SearchField {
  readonly field: string;
  readonly createdAtMs: number;
  readonly filling: boolean;
}

type Options = AddressOptions & { readonly json?: boolean };

/** `selsyn search-field list|add|remove` */
export function addSearchFieldCommands(program: Command): void {
  const field = program.command('search-field').description('fields of shadows that filters may ask for');

  field
    .command('list')
    .description('list them')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { items } = await new ApiClient(findServer(options)).get<{ items: readonly SearchField[] }>('/search/shadow-fields');
      if (options.json === true) return items.forEach((item) => print(JSON.stringify(item)));
      const rows = items.map((item) => [
        item.field,
        new Date(item.createdAtMs).toISOString(),
        item.filling ? 'not all devices yet' : 'all devices',
      ]);
      print(rows.length === 0 ? 'no search fields' : formatTable(['field', 'since', 'finds'], rows));
    });

  field
    .command('add <field>')
    .description('let filters ask for a field, as shadow.reported.mode, or of a named shadow shadow.NAME.reported.mode')
    .action(async (name: string, _: unknown, command: Command) => {
      await new ApiClient(findServer(command.optsWithGlobals<Options>())).put(pathOf(name), undefined);
      print(`added ${name}`);
    });

  field
    .command('remove <field>')
    .description('let filters no longer ask for it; fleets that do are refused from then on')
    .action(async (name: string, _: unknown, command: Command) => {
      await new ApiClient(findServer(command.optsWithGlobals<Options>())).delete(pathOf(name));
      print(`removed ${name}`);
    });
}

function pathOf(field: string): string {
  return `/search/shadow-fields/${encodeURIComponent(field)}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
