import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { printable } from '../printable.ts';
import { blockedText, keptText, planText, type KeepDays, type Plan } from '../retention-lines.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatAge, formatBytes, formatTable } from '../table.ts';

interface Policy {
  readonly name: string;
  readonly deviceType?: string;
  readonly group?: string;
  readonly metric?: string;
  readonly keepDays: KeepDays;
  readonly effectiveDays: KeepDays;
}

interface Pass {
  readonly atMs: number;
  readonly freedBytes: number;
  readonly files: number;
  readonly blocked: readonly { readonly file: string; readonly because: string }[];
  readonly refused?: string;
}

interface Retention {
  readonly policies: readonly Policy[];
  readonly clock: { readonly believed: boolean; readonly message?: string };
  readonly lastPass?: Pass;
  readonly letGo: readonly {
    readonly atMs: number;
    readonly file: string;
    readonly because: string;
    readonly freedBytes: number;
  }[];
}

type Options = AddressOptions & { readonly json?: boolean };
type PolicyOptions = Options & {
  readonly raw?: string;
  readonly hourly?: string;
  readonly daily?: string;
  readonly archive?: string;
  readonly type?: string;
  readonly group?: string;
  readonly metric?: string;
};

/** `selsyn retention` */
export function addRetentionCommands(program: Command): void {
  const retention = program.command('retention').description('how long telemetry is kept');

  retention
    .command('show', { isDefault: true })
    .description('list the policies, and what was let go last')
    .option('--json', 'print JSON')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const found = await new ApiClient(findServer(options)).get<Retention>('/retention');
      process.stdout.write(`${options.json === true ? JSON.stringify(found) : textOf(found)}\n`);
    });

  withDays(
    retention
      .command('set <policy>')
      .description(
        'make or change a policy; what is not said stays as it is. The policy default holds for all that no other says',
      ),
  )
    .option('--type <type>', 'of devices of this type')
    .option('--group <path>', 'of devices in this group and below')
    .option('--metric <name>', 'of this metric; * stands for any characters')
    .action(async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<PolicyOptions>();
      const api = new ApiClient(findServer(options));
      const known = (await api.get<Retention>('/retention')).policies.find((policy) => policy.name === name);
      const policy = await api.put<Policy>(`/retention/policies/${encodeURIComponent(name)}`, bodyOf(options, known));
      process.stdout.write(`${printable(policy.name)}: ${keptText(policy.keepDays, policy.effectiveDays)}\n`);
    });

  retention
    .command('unset <policy>')
    .description('remove a policy; default is as it was at first afterwards')
    .action(async (name: string, _: unknown, command: Command) => {
      await new ApiClient(findServer(command.optsWithGlobals<Options>())).delete(
        `/retention/policies/${encodeURIComponent(name)}`,
      );
      process.stdout.write('removed: selsyn retention plan tells what goes now\n');
    });

  withDays(
    retention
      .command('plan')
      .description('show what would go now, and how much that frees; with days: if the policy default had these'),
  )
    .option('--json', 'print JSON')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<PolicyOptions>();
      const keepDays = daysOf(options);
      const policies = Object.keys(keepDays).length === 0 ? [] : [{ name: 'default', keepDays }];
      const plan = await new ApiClient(findServer(options)).post<Plan>('/retention/plan', { policies });
      process.stdout.write(`${options.json === true ? JSON.stringify(plan) : planText(plan)}\n`);
    });

  retention
    .command('run')
    .description('let go now what is too old; it is done by itself every ten minutes')
    .action(async (_: unknown, command: Command) => {
      const pass = await new ApiClient(findServer(command.optsWithGlobals<Options>())).post<Pass>('/retention/run');
      process.stdout.write(`${passText(pass)}\n`);
    });

  retention
    .command('confirm-clock')
    .description('say that the clock of the server is right, though it has jumped')
    .action(async (_: unknown, command: Command) => {
      await new ApiClient(findServer(command.optsWithGlobals<Options>())).send('/retention/confirm-clock');
      process.stdout.write('the clock is believed: what is too old goes with the next pass\n');
    });
}

function withDays(command: Command): Command {
  return command
    .option('--raw <days>', 'points as they came: whole days, or forever')
    .option('--hourly <days>', 'what is known of each hour')
    .option('--daily <days>', 'what is known of each day')
    .option('--archive <days>', 'archived points');
}

function bodyOf(options: PolicyOptions, known: Policy | undefined): Omit<Policy, 'name' | 'effectiveDays'> {
  const { type = known?.deviceType, group = known?.group, metric = known?.metric } = options;
  return {
    ...(type !== undefined && { deviceType: type }),
    ...(group !== undefined && { group }),
    ...(metric !== undefined && { metric }),
    keepDays: { ...known?.keepDays, ...daysOf(options) },
  };
}

function daysOf(options: PolicyOptions): KeepDays {
  const given = (['raw', 'hourly', 'daily', 'archive'] as const).flatMap((level) => {
    const text = options[level];
    return text === undefined ? [] : [[level, text === 'forever' ? null : wholeDays(text, level)]];
  });
  return Object.fromEntries(given) as KeepDays; // of the four levels
}

function wholeDays(text: string, level: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new CliError(`--${level} takes whole days, or forever, not ${printable(text)}`);
}

function textOf({ policies, clock, lastPass, letGo }: Retention): string {
  const rows = policies.map(({ name, deviceType, group, metric, keepDays, effectiveDays }) => {
    const of = [deviceType && `type ${deviceType}`, group && `group ${group}`, metric && `metric ${metric}`]
      .filter(Boolean)
      .join(', ');
    return [printable(name), of === '' ? 'everything else' : printable(of), keptText(keepDays, effectiveDays)];
  });
  const gone = letGo.map(({ atMs, file, because, freedBytes }) => [
    `${formatAge(Date.now() - atMs)} ago`,
    printable(file),
    because,
    formatBytes(freedBytes),
  ]);
  return [
    formatTable(['policy', 'of', 'kept'], rows),
    ...(clock.believed ? [] : ['', printable(clock.message ?? '')]),
    ...(lastPass === undefined || lastPass.refused !== undefined ? [] : ['', passText(lastPass)]),
    ...(gone.length === 0 ? [] : ['', formatTable(['let go', 'file', 'for', 'freed'], gone)]),
  ].join('\n');
}

function passText({ atMs, files, freedBytes, blocked, refused }: Pass): string {
  if (refused !== undefined) return printable(refused);
  const kept = new Map<string, number>();
  for (const { because } of blocked) kept.set(because, (kept.get(because) ?? 0) + 1);
  const age = formatAge(Date.now() - atMs);
  return [
    `the last pass, ${age} ago: ${files} files, ${formatBytes(freedBytes)} freed`,
    ...[...kept].map(([because, count]) => `${count} files are too old and stay: ${blockedText(because)}`),
  ].join('\n');
}
