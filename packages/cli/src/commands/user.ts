import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { printable } from '../printable.ts';
import { newPassword, type PasswordOptions } from '../read-password.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatAge, formatTable } from '../table.ts';

interface RoleAt {
  readonly role: string;
  readonly group: string;
}

interface User {
  readonly name: string;
  readonly displayName?: string;
  readonly group: string;
  readonly grants: readonly RoleAt[];
  readonly password: boolean;
  readonly oidc: boolean;
  readonly disabled: boolean;
  readonly locked: boolean;
  readonly signedInAtMs?: number;
}

interface Session {
  readonly id: string;
  readonly method: string;
  readonly remoteAddress: string;
  readonly userAgent: string;
  readonly createdAtMs: number;
  readonly seenAtMs: number;
}

interface AddOptions extends AddressOptions, PasswordOptions {
  readonly role?: string;
  readonly at: string;
  readonly group: string;
  readonly displayName?: string;
  /** False with `--no-password`. */
  readonly password: boolean;
}

/** `selsyn user add|list|show|remove|password|disable|enable|unlock|grant|revoke|sign-out` */
export function addUserCommands(program: Command): void {
  const user = program.command('user').description('people who sign in: add, list, show and change them');

  withPassword(user.command('add <name>'))
    .description('add a user; asks for the password')
    .option('--role <role>', 'a role that the user gets: viewer, operator, engineer, administrator, or one of your own')
    .option('--at <group>', 'the node of the group tree where the role holds, and below it', '/')
    .option('--group <group>', 'the node whose administrators see and change the user', '/')
    .option('--display-name <text>', 'the full name')
    .option('--no-password', 'the user signs in by OpenID Connect only')
    .action(async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddOptions>();
      const client = new ApiClient(findServer(options));
      const given = options.password ? await newPassword(options) : undefined;
      const added = await client.post<User>('/users', {
        name,
        group: options.group,
        grants: options.role === undefined ? [] : [{ role: options.role, group: options.at }],
        ...(options.displayName !== undefined && { displayName: options.displayName }),
        ...(given !== undefined && { password: given.password }),
      });
      print(`added ${added.name}${given?.made === true ? `\npassword  ${given.password}   (shown only now)` : ''}`);
      if (added.grants.length === 0) print('without a role it may do nothing yet: selsyn user grant NAME ROLE --at GROUP');
    });

  user
    .command('list')
    .description('list users')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddressOptions & { json?: boolean }>();
      const rows: string[][] = [];
      for await (const item of new ApiClient(findServer(options)).pages<User>('/users', { limit: 500 })) {
        if (options.json === true) print(JSON.stringify(item));
        else rows.push([item.name, item.group, rolesOf(item), stateOf(item), agoOf(item.signedInAtMs)]);
      }
      if (options.json === true) return;
      print(
        rows.length === 0
          ? 'no users; add one with: npx selsyn user add NAME --role administrator'
          : formatTable(['name', 'group', 'roles', 'state', 'signed in'], rows),
      );
    });

  user
    .command('show <name>')
    .description('show a user, and where they are signed in')
    .option('--json', 'print JSON')
    .action(async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddressOptions & { json?: boolean }>();
      const client = new ApiClient(findServer(options));
      const shown = await client.get<User>(pathOf(name));
      const { items } = await client.get<{ items: readonly Session[] }>(`${pathOf(name)}/sessions`);
      if (options.json === true) return print(JSON.stringify({ ...shown, sessions: items }));
      const signsInBy = [...(shown.password ? ['password'] : []), ...(shown.oidc ? ['OpenID Connect'] : [])];
      print(
        [
          `name        ${shown.name}${shown.displayName === undefined ? '' : ` (${printable(shown.displayName)})`}`,
          `group       ${shown.group}`,
          `roles       ${rolesOf(shown) || '-'}`,
          `signs in by ${signsInBy.join(', ') || 'nothing yet'}`,
          `state       ${stateOf(shown)}`,
        ].join('\n'),
      );
      const rows = items.map((session) => [
        session.method,
        session.remoteAddress,
        printable(session.userAgent).slice(0, 40),
        agoOf(session.createdAtMs),
        agoOf(session.seenAtMs),
      ]);
      if (rows.length > 0) print(`\n${formatTable(['signed in by', 'from', 'program', 'since', 'last seen'], rows)}`);
    });

  user
    .command('remove <name>')
    .description('remove a user, and sign them out')
    .action(async (name: string, _: unknown, command: Command) => {
      await clientOf(command).delete(pathOf(name));
      print(`removed ${name}`);
    });

  withPassword(user.command('password <name>'))
    .description('give a user a new password, which signs them out and unlocks the account')
    .action(async (name: string, _: unknown, command: Command) => {
      const client = clientOf(command);
      const { password, made } = await newPassword(command.optsWithGlobals<PasswordOptions>());
      await client.send(`${pathOf(name)}/password`, { password });
      print(made ? `password  ${password}   (shown only now)` : `${name} has a new password`);
    });

  for (const [verb, disabled, done] of [
    ['disable', true, 'is signed out and cannot sign in'],
    ['enable', false, 'can sign in again'],
  ] as const) {
    user
      .command(`${verb} <name>`)
      .description(disabled ? 'sign a user out, and keep them out' : 'let a disabled user in again')
      .action(async (name: string, _: unknown, command: Command) => {
        await clientOf(command).patch(pathOf(name), { disabled });
        print(`${name} ${done}`);
      });
  }

  user
    .command('unlock <name>')
    .description('let a user try again after too many wrong passwords')
    .action(async (name: string, _: unknown, command: Command) => {
      await clientOf(command).send(`${pathOf(name)}/unlock`);
      print(`${name} can try again`);
    });

  user
    .command('sign-out <name>')
    .description('end all sessions of a user')
    .action(async (name: string, _: unknown, command: Command) => {
      await clientOf(command).delete(`${pathOf(name)}/sessions`);
      print(`${name} is signed out everywhere`);
    });

  user
    .command('grant <name> <role>')
    .description('give a user a role at a node of the group tree')
    .option('--at <group>', 'the node', '/')
    .action(async (name: string, role: string, _: unknown, command: Command) => {
      const { at } = command.optsWithGlobals<{ at: string }>();
      print(`${name}: ${rolesOf(await clientOf(command).post<User>(`${pathOf(name)}/grants`, { role, group: at }))}`);
    });

  user
    .command('revoke <name> <role>')
    .description('take a role at a node back from a user')
    .option('--at <group>', 'the node', '/')
    .action(async (name: string, role: string, _: unknown, command: Command) => {
      const { at } = command.optsWithGlobals<{ at: string }>();
      await clientOf(command).delete(`${pathOf(name)}/grants`, { role, group: at });
      print(`${name} has ${role} at ${at} no more`);
    });
}

function withPassword(command: Command): Command {
  return command
    .option('--password-stdin', 'read the password from standard input')
    .option('--generate', 'make a password, and print it this once');
}

function clientOf(command: Command): ApiClient {
  return new ApiClient(findServer(command.optsWithGlobals<AddressOptions>()));
}

function pathOf(name: string): string {
  return `/users/${encodeURIComponent(name)}`;
}

function rolesOf({ grants }: Pick<User, 'grants'>): string {
  return grants.map(({ role, group }) => `${role} at ${group}`).join(', ');
}

function stateOf({ disabled, locked }: User): string {
  return disabled ? 'disabled' : locked ? 'locked' : 'active';
}

function agoOf(atMs: number | undefined): string {
  return atMs === undefined ? 'never' : `${formatAge(Date.now() - atMs)} ago`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
