import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { printable } from '../printable.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatAge, formatDuration, formatTable } from '../table.ts';
import { durationMs } from './key.ts';

interface AccessKey {
  readonly id: string;
  readonly name: string;
  readonly group: string;
  readonly device?: string;
  readonly grants: readonly { readonly role: string; readonly group: string }[];
  readonly disabled: boolean;
  readonly expiresAtMs?: number;
  readonly usedAtMs?: number;
  readonly usedService?: string;
}

interface AddOptions extends AddressOptions {
  readonly role?: string;
  readonly at?: string;
  readonly group?: string;
  readonly device?: string;
  readonly expires?: string;
  readonly json?: boolean;
}

/** `selsyn access-key add|list|disable|enable|remove|grant|revoke` */
export function addAccessKeyCommands(program: Command): void {
  const key = program.command('access-key').description('keys that sign requests as AWS has it (Signature V4)');

  key
    .command('add <name>')
    .description('make an access key; prints its secret, this once')
    .option('--role <role>', 'what whoever signs with it may do')
    .option('--at <group>', 'with --role: the node of the group tree where they may, and below it (default: /)')
    .option('--group <group>', 'with --role: the node whose administrators see and remove the key (default: as --at)')
    .option('--device <id>', 'instead of --role: the device that signs with it, and may do what its policies say')
    .option('--expires <duration>', 'when it is refused, from now on: 12h, 90d, 52w (default: never)')
    .option('--json', 'print JSON')
    .action(async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddOptions>();
      const made = await clientOf(command).post<AccessKey & { secret: string }>('/access-keys', {
        name,
        ...holderOf(options),
        ...(options.expires !== undefined && { expiresAtMs: Date.now() + durationMs(options.expires) }),
      });
      if (options.json === true) return print(JSON.stringify(made));
      print(`aws_access_key_id = ${made.id}\naws_secret_access_key = ${made.secret}\n# the secret is shown only now`);
    });

  key
    .command('list')
    .description('list access keys')
    .option('--device <id>', 'only those of this device')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const { json, device } = command.optsWithGlobals<{ json?: boolean; device?: string }>();
      const client = clientOf(command);
      const items: AccessKey[] = [];
      let cursor: string | undefined;
      do {
        const query = { limit: '1000', ...(device !== undefined && { device }), ...(cursor !== undefined && { cursor }) };
        const page = await client.get<{ items: readonly AccessKey[]; cursor?: string }>('/access-keys', query);
        items.push(...page.items);
        ({ cursor } = page);
      } while (cursor !== undefined);
      if (json === true) for (const item of items) print(JSON.stringify(item));
      else if (items.length === 0) print('no access keys; make one with: npx selsyn access-key add NAME --role viewer');
      else print(formatTable(['id', 'name', 'for', 'state', 'expires', 'used'], items.map(rowOf)));
    });

  for (const [verb, disabled, description] of [
    ['disable', true, 'refuse what is signed with a key, until it is enabled again'],
    ['enable', false, 'take what is signed with a key again'],
  ] as const) {
    key
      .command(`${verb} <id>`)
      .description(description)
      .action(async (id: string, _: unknown, command: Command) => {
        await clientOf(command).patch(pathOf(id), { disabled });
        print(`${verb}d ${id}`);
      });
  }

  key
    .command('remove <id>')
    .description('take an access key back: from now on it is refused')
    .action(async (id: string, _: unknown, command: Command) => {
      await clientOf(command).delete(pathOf(id));
      print(`removed ${id}`);
    });

  key
    .command('grant <id> <role>')
    .description('give an access key a role at a node of the group tree')
    .option('--at <group>', 'the node', '/')
    .action(async (id: string, role: string, _: unknown, command: Command) => {
      const { at } = command.optsWithGlobals<{ at: string }>();
      await clientOf(command).send(`${pathOf(id)}/grants`, { role, group: at });
      print(`${id} has ${role} at ${at}`);
    });

  key
    .command('revoke <id> <role>')
    .description('take a role at a node back from an access key')
    .option('--at <group>', 'the node', '/')
    .action(async (id: string, role: string, _: unknown, command: Command) => {
      const { at } = command.optsWithGlobals<{ at: string }>();
      await clientOf(command).delete(`${pathOf(id)}/grants`, { role, group: at });
      print(`${id} has ${role} at ${at} no more`);
    });
}

function holderOf({ role, at, group, device }: AddOptions): object {
  if ((role === undefined) === (device === undefined)) throw new CliError('say --role ROLE or --device ID: what the key is for');
  if (role !== undefined) return { grants: [{ role, group: at ?? '/' }], ...(group !== undefined && { group }) };
  if (at !== undefined || group !== undefined) throw new CliError('--at and --group go with --role: a device has its policies');
  return { device };
}

function rowOf(item: AccessKey): string[] {
  const nowMs = Date.now();
  const { expiresAtMs, usedAtMs, usedService, device, grants } = item;
  return [
    item.id,
    printable(item.name),
    device === undefined ? grants.map(({ role, group }) => `${role} at ${group}`).join(', ') : `device ${device}`,
    item.disabled ? 'disabled' : 'active',
    expiresAtMs === undefined ? 'never' : expiresAtMs <= nowMs ? 'expired' : `in ${formatDuration(expiresAtMs - nowMs)}`,
    usedAtMs === undefined
      ? 'never'
      : `${formatAge(nowMs - usedAtMs)} ago${usedService === undefined ? '' : ` (${usedService})`}`,
  ];
}

function clientOf(command: Command): ApiClient {
  return new ApiClient(findServer(command.optsWithGlobals<AddressOptions>()));
}

function pathOf(id: string): string {
  return `/access-keys/${encodeURIComponent(id)}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
