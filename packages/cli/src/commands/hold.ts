import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { printable } from '../printable.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatAge, formatTable } from '../table.ts';

type Target =
  | { readonly kind: 'device'; readonly device: string }
  | { readonly kind: 'group'; readonly group: string }
  | { readonly kind: 'type'; readonly deviceType: string };

interface Hold {
  readonly id: string;
  readonly target: Target;
  readonly reason: string;
  readonly createdAtMs: number;
  readonly createdBy: string;
  readonly releasedAtMs?: number;
  readonly releasedBy?: string;
}

type Options = AddressOptions & { readonly json?: boolean; readonly all?: boolean };
type AddOptions = Options & {
  readonly device?: string;
  readonly group?: string;
  readonly type?: string;
  readonly reason: string;
};

/** `selsyn hold` */
export function addHoldCommands(program: Command): void {
  const hold = program.command('hold').description('legal holds: what they cover is not let go, erased or removed');

  hold
    .command('list', { isDefault: true })
    .description('list the holds')
    .option('--all', 'also those that are released')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const rows: string[][] = [];
      const query = { limit: 500, ...(options.all !== true && { state: 'in-force' }) };
      for await (const one of new ApiClient(findServer(options)).pages<Hold>('/holds', query)) {
        if (options.json === true) process.stdout.write(`${JSON.stringify(one)}\n`);
        else rows.push(rowOf(one));
      }
      if (options.json === true) return;
      const table = formatTable(['hold', 'on', 'why', 'since', 'by', 'state'], rows);
      process.stdout.write(rows.length === 0 ? 'nothing is held\n' : `${table}\n`);
    });

  hold
    .command('add')
    .description('hold all telemetry of a device, of the devices in a group and below, or of those of a type')
    .option('--device <id>', 'this device')
    .option('--group <path>', 'this group, and all below it')
    .option('--type <type>', 'this device type')
    .requiredOption('--reason <text>', 'for whom, and why')
    .option('--json', 'print JSON')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddOptions>();
      const body = { target: targetOf(options), reason: options.reason };
      const made = await new ApiClient(findServer(options)).post<Hold>('/holds', body);
      process.stdout.write(
        options.json === true ? `${JSON.stringify(made)}\n` : `hold ${made.id} is in force: ${onText(made.target)}\n`,
      );
    });

  hold
    .command('release <hold>')
    .description('release a hold: what is too old and covered by no other goes then')
    .action(async (id: string, _: unknown, command: Command) => {
      await new ApiClient(findServer(command.optsWithGlobals<Options>())).delete(`/holds/${encodeURIComponent(id)}`);
      process.stdout.write(`hold ${printable(id)} is released\n`);
    });
}

function targetOf({ device, group, type }: AddOptions): Target {
  const given: Target[] = [
    ...(device === undefined ? [] : [{ kind: 'device', device } as const]),
    ...(group === undefined ? [] : [{ kind: 'group', group } as const]),
    ...(type === undefined ? [] : [{ kind: 'type', deviceType: type } as const]),
  ];
  if (given.length !== 1) throw new CliError('say one of --device, --group and --type');
  return given[0]!;
}

function onText(target: Target): string {
  if (target.kind === 'device') return `the device ${target.device}`;
  return target.kind === 'group' ? `the group ${target.group}` : `the type ${target.deviceType}`;
}

function rowOf({ id, target, reason, createdAtMs, createdBy, releasedAtMs, releasedBy }: Hold): string[] {
  const state =
    releasedAtMs === undefined ? 'in force' : `released ${formatAge(Date.now() - releasedAtMs)} ago by ${releasedBy ?? ''}`;
  return [
    id,
    onText(target),
    printable(reason),
    `${formatAge(Date.now() - createdAtMs)}`,
    printable(createdBy),
    printable(state),
  ];
}
