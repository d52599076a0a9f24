import type { Command } from 'commander';
import { ApiClient, type DeviceItem } from '../api-client.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { counted, formatTable } from '../table.ts';

interface FleetItem {
  readonly id: string;
  readonly name: string;
  readonly group: string;
  readonly filter: string;
  readonly devices?: number;
}

interface Fields {
  readonly name?: string;
  readonly group?: string;
  readonly filter?: string;
}

type Options = AddressOptions & Fields & { readonly json?: boolean };

/** `selsyn fleet list|show|devices|add|update|remove` */
export function addFleetCommands(program: Command): void {
  const fleet = program.command('fleet').description('saved filters over devices');

  fleet
    .command('list')
    .description('list fleets')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { items } = await new ApiClient(findServer(options)).get<{ items: readonly FleetItem[] }>('/fleets');
      if (options.json === true) return items.forEach((item) => print(JSON.stringify(item)));
      const rows = items.map(({ id, name, group, filter }) => [id, name === id ? '' : name, group, filter]);
      print(rows.length === 0 ? 'no fleets' : formatTable(['id', 'name', 'group', 'filter'], rows));
    });

  fleet
    .command('show <id>')
    .description('show a fleet and how many members it has now')
    .option('--json', 'print JSON')
    .action(async (id: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const item = await new ApiClient(findServer(options)).get<FleetItem>(pathOf(id));
      if (options.json === true) return print(JSON.stringify(item));
      print(
        `id       ${item.id}\nname     ${item.name}\ngroup    ${item.group}\nfilter   ${item.filter}\nmembers  ${counted(item.devices ?? 0, 'device')}`,
      );
    });

  fleet
    .command('devices <id>')
    .description('list the members that a fleet has now')
    .option('--json', 'print JSON lines')
    .action(async (id: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const rows: string[][] = [];
      for await (const item of new ApiClient(findServer(options)).pages<DeviceItem>(`${pathOf(id)}/devices`, { limit: 500 })) {
        if (options.json === true) print(JSON.stringify(item));
        else rows.push([item.id, item.name ?? '', item.type ?? '', item.group, item.tags.join(',')]);
      }
      if (options.json === true) return;
      print(rows.length === 0 ? 'no members' : formatTable(['id', 'name', 'type', 'group', 'tags'], rows));
    });

  fleet
    .command('add <id> <filter>')
    .description('save a filter as a fleet')
    .option('--name <text>', 'a name for people')
    .option('--group <path>', 'only devices in this group or below')
    .action(async (id: string, filter: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await new ApiClient(findServer(options)).post('/fleets', { id, ...fieldsOf({ ...options, filter }) });
      print(`added ${id}`);
    });

  fleet
    .command('update <id>')
    .description('change a fleet; what is not given stays')
    .option('--name <text>', 'a name for people')
    .option('--group <path>', 'only devices in this group or below')
    .option('--filter <filter>', 'another filter')
    .action(async (id: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await new ApiClient(findServer(options)).patch(pathOf(id), fieldsOf(options));
      print(`changed ${id}`);
    });

  fleet
    .command('remove <id>')
    .description('remove a fleet; its devices stay as they are')
    .action(async (id: string, _: unknown, command: Command) => {
      await new ApiClient(findServer(command.optsWithGlobals<Options>())).delete(pathOf(id));
      print(`removed ${id}`);
    });
}

function fieldsOf({ name, group, filter }: Fields): object {
  return {
    ...(name !== undefined && { name }),
    ...(group !== undefined && { group }),
    ...(filter !== undefined && { filter }),
  };
}

function pathOf(id: string): string {
  return `/fleets/${encodeURIComponent(id)}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
