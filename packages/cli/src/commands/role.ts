import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { printable } from '../printable.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatTable } from '../table.ts';

interface Role {
  readonly name: string;
  readonly description: string;
  readonly permissions: readonly string[];
  readonly builtIn: boolean;
}

/** `selsyn role list|show|put|remove` */
export function addRoleCommands(program: Command): void {
  const role = program.command('role').description('roles: named sets of permissions');

  role
    .command('list')
    .description('list roles')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddressOptions & { json?: boolean }>();
      const roles = await rolesOf(command);
      if (options.json === true) for (const item of roles) print(JSON.stringify(item));
      else {
        const rows = roles.map((item) => [
          item.name,
          item.builtIn ? 'built in' : 'own',
          String(item.permissions.length),
          printable(item.description),
        ]);
        print(formatTable(['name', 'kind', 'permissions', 'description'], rows));
      }
    });

  role
    .command('show <name>')
    .description('show what a role allows')
    .action(async (name: string, _: unknown, command: Command) => {
      const found = (await rolesOf(command)).find((item) => item.name === name);
      if (found === undefined) throw new CliError(`there is no role ${name}`);
      print([printable(found.description), ...found.permissions].filter((line) => line !== '').join('\n'));
    });

  role
    .command('put <name> <permissions...>')
    .description('make a role of your own, or change it for everybody who has it: devices:read clients:write ...')
    .option('--description <text>', 'what it is for', '')
    .action(async (name: string, permissions: string[], _: unknown, command: Command) => {
      const { description } = command.optsWithGlobals<{ description: string }>();
      const body = { description, permissions };
      const put = await clientOf(command).put<Role>(`/roles/${encodeURIComponent(name)}`, body);
      print(`${put.name}: ${put.permissions.join(' ')}`);
    });

  role
    .command('remove <name>')
    .description('remove a role of your own that nobody has')
    .action(async (name: string, _: unknown, command: Command) => {
      await clientOf(command).delete(`/roles/${encodeURIComponent(name)}`);
      print(`removed ${name}`);
    });
}

async function rolesOf(command: Command): Promise<readonly Role[]> {
  return (await clientOf(command).get<{ items: readonly Role[] }>('/roles')).items;
}

function clientOf(command: Command): ApiClient {
  return new ApiClient(findServer(command.optsWithGlobals<AddressOptions>()));
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
