import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { readText } from '../input-file.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatTable } from '../table.ts';

interface MergePolicy {
  readonly deviceType?: string;
  readonly shadow?: string;
  readonly policy: string;
  readonly script?: string;
}

interface KeyOptions extends AddressOptions {
  readonly type?: string;
  readonly shadow?: string;
}

const TYPE = ['--type <type>', 'of devices of this type (default: of all)'] as const;
const SHADOW = ['--shadow <name>', "the shadow of this name, '' for the classic one (default: all)"] as const;

/** `selsyn merge-policy list|set|remove` */
export function addMergePolicyCommands(program: Command): void {
  const policy = program.command('merge-policy').description('how shadows are merged with those of edges');

  policy
    .command('list')
    .description('list merge policies; where none fits, it is last-write')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddressOptions & { readonly json?: boolean }>();
      const { items } = await new ApiClient(findServer(options)).get<{ items: readonly MergePolicy[] }>('/merge-policies');
      if (options.json === true) return items.forEach((item) => print(JSON.stringify(item)));
      const rows = items.map(({ deviceType, shadow, policy: how }) => [deviceType ?? '(all)', shadowText(shadow), how]);
      print(rows.length === 0 ? 'no merge policies' : formatTable(['type', 'shadow', 'policy'], rows));
    });

  policy
    .command('set <policy>')
    .description('last-write, desired-wins, reported-wins or custom; the narrowest one that is set counts')
    .option(...TYPE)
    .option(...SHADOW)
    .option('--script <file>', 'of custom: JavaScript with a function merge(); - reads it from the input')
    .action(async (how: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<KeyOptions & { readonly script?: string }>();
      const { script } = options;
      const body = { ...keyOf(options), policy: how, ...(script !== undefined && { script: readText(script) }) };
      await new ApiClient(findServer(options)).put('/merge-policies', body);
      print(`set ${how} for ${keyText(options)}`);
    });

  policy
    .command('remove')
    .description('remove the merge policy that was set for exactly this')
    .option(...TYPE)
    .option(...SHADOW)
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<KeyOptions>();
      await new ApiClient(findServer(options)).delete('/merge-policies', keyOf(options));
      print(`removed the merge policy for ${keyText(options)}`);
    });
}

function keyOf({ type, shadow }: KeyOptions): { readonly deviceType?: string; readonly shadow?: string } {
  return { ...(type !== undefined && { deviceType: type }), ...(shadow !== undefined && { shadow }) };
}

function keyText({ type, shadow }: KeyOptions): string {
  return `${type === undefined ? 'all types' : `type ${type}`}, ${shadow === undefined ? 'all shadows' : `shadow ${shadowText(shadow)}`}`;
}

function shadowText(shadow: string | undefined): string {
  if (shadow === undefined) return '(all)';
  return shadow === '' ? '(classic)' : shadow;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
