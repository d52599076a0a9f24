import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { counted, formatTable } from '../table.ts';

interface GroupItem {
  readonly path: string;
  readonly devices: number;
  readonly devicesBelow: number;
  readonly groups: number;
}

type Options = AddressOptions & { readonly json?: boolean; readonly force?: boolean };

/** `selsyn group list|add|move|remove` */
export function addGroupCommands(program: Command): void {
  const group = program.command('group').description('the tree in which devices stand');

  group
    .command('list [parent]')
    .description('list the groups right below one (default: the top of the tree)')
    .option('--json', 'print JSON lines')
    .action(async (parent: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const rows: string[][] = [];
      for await (const item of new ApiClient(findServer(options)).pages<GroupItem>('/groups', { parent, limit: 500 })) {
        if (options.json === true) print(JSON.stringify(item));
        else rows.push([item.path, String(item.devices), String(item.devicesBelow), String(item.groups)]);
      }
      if (options.json === true) return;
      print(
        rows.length === 0 ? `no groups below ${parent ?? '/'}` : formatTable(['path', 'devices', 'and below', 'groups'], rows),
      );
    });

  group
    .command('add <path>')
    .description('make a group, and what is missing above it')
    .action(async (path: string, _: unknown, command: Command) => {
      await new ApiClient(findServer(command.optsWithGlobals<Options>())).post('/groups', { path });
      print(`added ${path}`);
    });

  group
    .command('move <from> <to>')
    .description('move or rename a group with all that is in it')
    .action(async (from: string, to: string, _: unknown, command: Command) => {
      const client = new ApiClient(findServer(command.optsWithGlobals<Options>()));
      const moved = await client.patch<GroupItem>(`/groups/${encodeURIComponent(from)}`, { path: to });
      print(`moved ${from} to ${moved.path} with ${counted(moved.devicesBelow, 'device')}`);
    });

  group
    .command('remove <path>')
    .description('remove a group')
    .option('--force', 'also when it is not empty: its devices then stand in the group above')
    .action(async (path: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const client = new ApiClient(findServer(options));
      await client.delete(`/groups/${encodeURIComponent(path)}`, { force: options.force === true ? 'true' : undefined });
      print(`removed ${path}`);
    });
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
