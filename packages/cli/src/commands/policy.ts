import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { readJson } from '../input-file.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatTable } from '../table.ts';

interface Policy {
  readonly name: string;
  readonly description: string;
  readonly document: { readonly statements: readonly object[] };
}

interface Target {
  readonly kind: string;
  readonly id: string;
}

interface TargetOptions extends AddressOptions {
  readonly group?: string;
  readonly type?: string;
  readonly device?: string;
  readonly certificate?: string;
}

interface Explanation {
  readonly allowed: boolean;
  readonly reason: string;
  readonly device: { readonly id: string; readonly type?: string; readonly group: string };
  readonly policies: readonly { readonly name: string; readonly by: Target }[];
  readonly decidedBy?: { readonly pattern: string; readonly expanded?: string };
  readonly variables: Readonly<Record<string, string | null>>;
}

interface ExplainOptions extends AddressOptions {
  readonly device: string;
  readonly publish?: string;
  readonly retain?: string;
  readonly subscribe?: string;
  readonly receive?: string;
  readonly connect?: string;
  readonly clientId?: string;
  readonly certificate?: string;
  readonly json?: boolean;
}

/** `selsyn policy list|show|put|remove|attach|detach` and `selsyn access explain` */
export function addPolicyCommands(program: Command): void {
  const policy = program.command('policy').description('which topics devices may use');

  policy
    .command('list')
    .description('list policies')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddressOptions & { json?: boolean }>();
      const { items } = await new ApiClient(findServer(options)).get<{ items: readonly Policy[] }>('/policies');
      if (options.json === true) for (const item of items) print(JSON.stringify(item));
      else
        print(
          formatTable(
            ['name', 'statements', 'description'],
            items.map(({ name, document, description }) => [name, String(document.statements.length), description]),
          ),
        );
    });

  policy
    .command('show <name>')
    .description('print a policy and what it is attached to')
    .action(async (name: string, _: unknown, command: Command) => {
      const api = new ApiClient(findServer(command.optsWithGlobals<AddressOptions>()));
      const path = `/policies/${encodeURIComponent(name)}`;
      const found = await api.get<Policy>(path);
      const { items } = await api.get<{ items: readonly Target[] }>(`${path}/targets`);
      print(JSON.stringify(found.document, undefined, 2));
      print(items.length === 0 ? 'attached to nothing' : items.map(({ kind, id }) => `attached to ${kind} ${id}`).join('\n'));
    });

  policy
    .command('put <name> <file>')
    .description('make a policy, or change it, from a JSON file (- for standard input)')
    .option('--description <text>', 'what it is for')
    .action(async (name: string, file: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddressOptions & { description?: string }>();
      await new ApiClient(findServer(options)).put(`/policies/${encodeURIComponent(name)}`, {
        document: readJson(file),
        ...(options.description !== undefined && { description: options.description }),
      });
      print(`policy ${name} is saved; connected devices heed it within a second`);
    });

  policy
    .command('remove <name>')
    .description('remove a policy from all that have it')
    .action(async (name: string, _: unknown, command: Command) => {
      await new ApiClient(findServer(command.optsWithGlobals<AddressOptions>())).delete(`/policies/${encodeURIComponent(name)}`);
      print(`removed policy ${name}`);
    });

  withTarget(policy.command('attach <name>').description('attach a policy to a group, a type, a device or a certificate')).action(
    async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<TargetOptions>();
      const target = targetOf(options);
      await new ApiClient(findServer(options)).send(`/policies/${encodeURIComponent(name)}/targets`, target);
      print(`policy ${name} is attached to ${target.kind} ${target.id}`);
    },
  );

  withTarget(policy.command('detach <name>').description('detach a policy')).action(
    async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<TargetOptions>();
      const { kind, id } = targetOf(options);
      await new ApiClient(findServer(options)).delete(`/policies/${encodeURIComponent(name)}/targets`, { kind, id });
      print(`policy ${name} is detached from ${kind} ${id}`);
    },
  );

  program
    .command('access')
    .description('what devices may do')
    .command('explain')
    .description('tell why a device may do something, or may not')
    .requiredOption('--device <id>', 'the device')
    .option('--publish <topic>', 'may it publish there?')
    .option('--retain <topic>', 'may it leave a retained message there?')
    .option('--subscribe <filter>', 'may it subscribe to that?')
    .option('--receive <topic>', 'is it sent messages of that topic?')
    .option('--connect <client-id>', 'may it connect with that client id?')
    .option('--client-id <id>', 'with which client id it connects (default: its own id)')
    .option('--certificate <id>', 'which certificate it shows')
    .option('--json', 'print JSON')
    .action(async (_: unknown, command: Command) => await explain(command.optsWithGlobals<ExplainOptions>()));
}

async function explain(options: ExplainOptions): Promise<void> {
  const { publish, retain, subscribe, receive, connect } = options;
  const asked = Object.entries({ publish, retain, subscribe, receive, connect }).filter(([, subject]) => subject !== undefined);
  const [action, subject] = asked[0] ?? [];
  if (asked.length !== 1 || action === undefined)
    throw new CliError('ask one thing: --publish, --retain, --subscribe, --receive or --connect');
  const answer = await new ApiClient(findServer(options)).get<Explanation>(
    `/devices/${encodeURIComponent(options.device)}/access`,
    {
      action,
      subject,
      clientId: options.clientId,
      certificateId: options.certificate,
    },
  );
  if (options.json === true) return print(JSON.stringify(answer));
  const { allowed, reason, device, policies, decidedBy, variables } = answer;
  print(`${allowed ? 'allowed' : 'denied'}: ${reason}`);
  if (decidedBy?.expanded !== undefined && decidedBy.expanded !== decidedBy.pattern)
    print(`  ${decidedBy.pattern} is ${decidedBy.expanded}`);
  print(`\ndevice ${device.id}, type ${device.type ?? 'none'}, group ${device.group}`);
  for (const { name, by } of policies) print(`  has policy ${name} by ${by.kind} ${by.id}`);
  if (policies.length === 0) print('  has no policy');
  for (const [name, value] of Object.entries(variables))
    print(`  \${${name}} is ${value ?? 'nothing that may stand in a topic'}`);
}

function withTarget(command: Command): Command {
  return command
    .option('--group <path>', 'all devices of a group and of those below it')
    .option('--type <name>', 'all devices of a type')
    .option('--device <id>', 'one device')
    .option('--certificate <id>', 'one certificate');
}

function targetOf({ group, type, device, certificate }: TargetOptions): Target {
  const given = Object.entries({ group, type, device, credential: certificate }).filter(([, id]) => id !== undefined);
  const [kind, id] = given[0] ?? [];
  if (given.length !== 1 || kind === undefined || id === undefined)
    throw new CliError('say to what: one of --group, --type, --device and --certificate');
  return { kind, id };
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
