import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { printable } from '../printable.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatAge, formatDuration, formatTable } from '../table.ts';

interface Key {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly group: string;
  readonly grants: readonly { readonly role: string; readonly group: string }[];
  readonly createdAtMs: number;
  readonly expiresAtMs?: number;
  readonly usedAtMs?: number;
}

interface AddOptions extends AddressOptions {
  readonly role: string;
  readonly at: string;
  readonly group?: string;
  readonly expires?: string;
  readonly json?: boolean;
}

const UNIT_MS = { h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** `selsyn key add|list|remove|grant|revoke` */
export function addKeyCommands(program: Command): void {
  const key = program.command('key').description('API keys: what programs sign in with');

  key
    .command('add <name>')
    .description('make an API key; prints it, this once')
    .option('--role <role>', 'what the key may do', 'viewer')
    .option('--at <group>', 'the node of the group tree where it may, and below it', '/')
    .option('--group <group>', 'the node whose administrators see and remove the key (default: as --at)')
    .option('--expires <duration>', 'when it is refused, from now on: 12h, 90d, 52w (default: never)')
    .option('--json', 'print JSON')
    .action(async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddOptions>();
      const made = await clientOf(command).post<Key & { key: string }>('/api-keys', {
        name,
        grants: [{ role: options.role, group: options.at }],
        ...(options.group !== undefined && { group: options.group }),
        ...(options.expires !== undefined && { expiresAtMs: Date.now() + durationMs(options.expires) }),
      });
      if (options.json === true) return print(JSON.stringify(made));
      print(`id   ${made.id}\nkey  ${made.key}   (shown only now)`);
    });

  key
    .command('list')
    .description('list API keys')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const { json } = command.optsWithGlobals<{ json?: boolean }>();
      const { items } = await clientOf(command).get<{ items: readonly Key[] }>('/api-keys');
      if (json === true) for (const item of items) print(JSON.stringify(item));
      else if (items.length === 0) print('no keys but the administrator’s; make one with: npx selsyn key add NAME --role viewer');
      else print(formatTable(['id', 'name', 'begins with', 'roles', 'expires', 'used'], items.map(rowOf)));
    });

  key
    .command('remove <id>')
    .description('take an API key back: from now on it is refused')
    .action(async (id: string, _: unknown, command: Command) => {
      await clientOf(command).delete(pathOf(id));
      print(`removed ${id}`);
    });

  key
    .command('grant <id> <role>')
    .description('give an API key a role at a node of the group tree')
    .option('--at <group>', 'the node', '/')
    .action(async (id: string, role: string, _: unknown, command: Command) => {
      const { at } = command.optsWithGlobals<{ at: string }>();
      await clientOf(command).send(`${pathOf(id)}/grants`, { role, group: at });
      print(`${id} has ${role} at ${at}`);
    });

  key
    .command('revoke <id> <role>')
    .description('take a role at a node back from an API key')
    .option('--at <group>', 'the node', '/')
    .action(async (id: string, role: string, _: unknown, command: Command) => {
      const { at } = command.optsWithGlobals<{ at: string }>();
      await clientOf(command).delete(`${pathOf(id)}/grants`, { role, group: at });
      print(`${id} has ${role} at ${at} no more`);
    });
}

function rowOf(item: Key): string[] {
  const nowMs = Date.now();
  const { expiresAtMs, usedAtMs } = item;
  return [
    item.id,
    printable(item.name),
    item.prefix === '' ? '' : `${item.prefix}…`,
    item.grants.map(({ role, group }) => `${role} at ${group}`).join(', '),
    expiresAtMs === undefined ? 'never' : expiresAtMs <= nowMs ? 'expired' : `in ${formatDuration(expiresAtMs - nowMs)}`,
    usedAtMs === undefined ? 'never' : `${formatAge(nowMs - usedAtMs)} ago`,
  ];
}

/** @throws CliError for what is no duration as `90d` */
export function durationMs(text: string): number {
  const [, count, unit] = /^(\d{1,6})([hdw])$/.exec(text) ?? [];
  if (count === undefined || unit === undefined || Number(count) === 0)
    throw new CliError(`"${text}" is no duration, as 12h, 90d or 52w`);
  return Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
}

function clientOf(command: Command): ApiClient {
  return new ApiClient(findServer(command.optsWithGlobals<AddressOptions>()));
}

function pathOf(id: string): string {
  return `/api-keys/${encodeURIComponent(id)}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
