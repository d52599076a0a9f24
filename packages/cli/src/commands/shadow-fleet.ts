import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { counted, formatAge, formatDuration, formatTable } from '../table.ts';

interface UpdateItem {
  readonly id: string;
  readonly kind: 'desired' | 'defaults';
  readonly state: 'running' | 'done' | 'cancelled';
  readonly target: string;
  readonly shadow?: string;
  readonly total: number;
  readonly done: number;
  readonly unchanged: number;
  readonly failed: number;
  readonly left: number;
  readonly observedPerSec: number;
  readonly etaMs?: number;
  readonly startedBy: { readonly name: string };
  readonly createdAtMs: number;
}

interface FailureItem {
  readonly device: string;
  readonly code: string;
  readonly reason: string;
}

interface DefaultItem {
  readonly target: string;
  readonly shadow?: string;
  readonly desired: Readonly<Record<string, unknown>>;
  readonly version: number;
}

interface Origin {
  readonly type?: string;
  readonly group: string;
  readonly layers: readonly { readonly target: string; readonly desired: unknown }[];
  readonly inherited?: unknown;
  readonly inheritedFault?: string;
  readonly desiredFault?: string;
  readonly reportedFault?: string;
}

type Options = AddressOptions & {
  readonly json?: boolean;
  readonly shadow?: string;
  readonly rate?: string;
  readonly expectedVersion?: string;
  readonly wait?: boolean;
  readonly device?: readonly string[];
  readonly target?: string;
};

const LOOK_MS = 1000;

/** What is about many devices, below `selsyn shadow`: call it after whoever else adds to that. */
export function addShadowFleetCommands(program: Command): void {
  const known = program.commands.find((command) => command.name() === 'shadow');
  const shadow = known ?? program.command('shadow').description('what devices are to be, and what they say they are');
  addBulkCommands(shadow);
  addDefaultCommands(shadow);
}

/** `selsyn shadow bulk set|list|show|failures|cancel` */
function addBulkCommands(shadow: Command): void {
  const bulk = shadow.command('bulk').description('set what is desired of many devices at once');

  bulk
    .command('set <desired> [target]')
    .description('merge JSON (or @file) into desired of group:/path, fleet:name, type:name, filter:…, or of the devices named')
    .option('--device <ids...>', 'these devices, instead of a target')
    .option('--shadow <name>', 'a named shadow')
    .option('--rate <number>', 'devices a second, at most')
    .option('--expected-version <number>', 'only shadows that have this version')
    .option('--wait', 'until it is over; the exit code is 1 where devices failed')
    .option('--json', 'print JSON')
    .action(async (desired: string, target: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { device } = options;
      if ((target === undefined) === (device === undefined)) throw new CliError('give a target, or devices by --device');
      const client = new ApiClient(findServer(options));
      const started = await client.post<UpdateItem>('/shadow-updates', {
        target: target ?? device,
        desired: readJson(desired),
        ...(options.shadow !== undefined && { shadow: options.shadow }),
        ...(options.rate !== undefined && { ratePerSec: Number(options.rate) }),
        ...(options.expectedVersion !== undefined && { expectedVersion: Number(options.expectedVersion) }),
      });
      await end(client, started, options);
    });

  bulk
    .command('list')
    .description('list updates of many shadows, the newest first')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const rows: string[][] = [];
      for await (const item of new ApiClient(findServer(options)).pages<UpdateItem>('/shadow-updates')) {
        if (options.json === true) print(JSON.stringify(item));
        else
          rows.push([
            item.id,
            item.state,
            item.target,
            item.shadow ?? '',
            `${item.total - item.left}/${item.total}`,
            String(item.failed),
            item.startedBy.name,
            formatAge(Date.now() - item.createdAtMs),
          ]);
      }
      if (options.json === true) return;
      print(
        rows.length === 0
          ? 'no updates'
          : formatTable(['id', 'state', 'target', 'shadow', 'devices', 'failed', 'by', 'age'], rows),
      );
    });

  bulk
    .command('show <id>')
    .description('show how far an update is')
    .option('--wait', 'until it is over; the exit code is 1 where devices failed')
    .option('--json', 'print JSON')
    .action(async (id: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const client = new ApiClient(findServer(options));
      await end(client, await client.get<UpdateItem>(pathOf(id)), options);
    });

  bulk
    .command('failures <id>')
    .description('list the devices that an update could not be applied to')
    .option('--json', 'print JSON lines')
    .action(async (id: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const rows: string[][] = [];
      for await (const item of new ApiClient(findServer(options)).pages<FailureItem>(`${pathOf(id)}/failures`, { limit: 1000 })) {
        if (options.json === true) print(JSON.stringify(item));
        else rows.push([item.device, item.code, item.reason]);
      }
      if (options.json !== true) print(rows.length === 0 ? 'no failures' : formatTable(['device', 'code', 'reason'], rows));
    });

  bulk
    .command('cancel <id>')
    .description('cancel an update; what was done stays')
    .action(async (id: string, _: unknown, command: Command) => {
      const update = await new ApiClient(findServer(command.optsWithGlobals<Options>())).post<UpdateItem>(`${pathOf(id)}/cancel`);
      print(`cancelled ${id}: ${counted(update.done, 'device')} of ${update.total} changed`);
    });
}

/** `selsyn shadow default set|list|remove|explain` */
function addDefaultCommands(shadow: Command): void {
  const defaults = shadow
    .command('default')
    .description('what devices of a group or a type are to be unless something nearer says otherwise');

  defaults
    .command('set <target> <desired>')
    .description('make JSON (or @file) the default of group:/path or type:name; null takes away what comes from farther')
    .option('--shadow <name>', 'a named shadow')
    .option('--expected-version <number>', 'only from this version; 0: only if there is none')
    .option('--wait', 'until it has come to all devices')
    .option('--json', 'print JSON')
    .action(async (target: string, desired: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const client = new ApiClient(findServer(options));
      const made = await client.put<DefaultItem & { readonly update?: UpdateItem }>('/shadow-defaults', {
        target,
        desired: readJson(desired),
        ...(options.shadow !== undefined && { shadow: options.shadow }),
        ...(options.expectedVersion !== undefined && { expectedVersion: Number(options.expectedVersion) }),
      });
      if (made.update !== undefined) return await end(client, made.update, options);
      print(options.json === true ? JSON.stringify(made) : `${target} has this default already`);
    });

  defaults
    .command('list')
    .description('list defaults')
    .option('--target <target>', 'only those of this group or type itself')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const rows: string[][] = [];
      const query = { target: options.target };
      for await (const item of new ApiClient(findServer(options)).pages<DefaultItem>('/shadow-defaults', query)) {
        if (options.json === true) print(JSON.stringify(item));
        else rows.push([item.target, item.shadow ?? '', String(item.version), JSON.stringify(item.desired)]);
      }
      if (options.json !== true)
        print(rows.length === 0 ? 'no defaults' : formatTable(['target', 'shadow', 'version', 'desired'], rows));
    });

  defaults
    .command('remove <target>')
    .description('remove the default of group:/path or type:name')
    .option('--shadow <name>', 'a named shadow')
    .action(async (target: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await new ApiClient(findServer(options)).delete('/shadow-defaults', { target, shadow: options.shadow });
      print(`removed the default of ${target}`);
    });

  defaults
    .command('explain <device>')
    .description('show where the desired state of a device comes from, and whether its shadow fits the schema of its type')
    .option('--shadow <name>', 'a named shadow')
    .option('--json', 'print JSON')
    .action(async (device: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const path = `/devices/${encodeURIComponent(device)}/shadow-origin`;
      const origin = await new ApiClient(findServer(options)).get<Origin>(path, { shadow: options.shadow });
      if (options.json === true) return print(JSON.stringify(origin));
      const rows = origin.layers.map(({ target, desired }) => [target, JSON.stringify(desired)]);
      print(rows.length === 0 ? 'no defaults' : formatTable(['from', 'desired'], rows));
      if (origin.inherited !== undefined) print(`inherited  ${JSON.stringify(origin.inherited)}`);
      for (const fault of [origin.inheritedFault, origin.desiredFault, origin.reportedFault])
        if (fault !== undefined) print(fault);
    });
}

/** Shows an update, and how it goes on where that is waited for. */
async function end(client: ApiClient, started: UpdateItem, { wait, json }: Options): Promise<void> {
  let update = started;
  while (wait === true && update.state === 'running') {
    process.stderr.write(`${lineOf(update)}\n`);
    await pause(Math.min(LOOK_MS, Math.max(100, update.etaMs ?? LOOK_MS)));
    update = await client.get<UpdateItem>(pathOf(update.id));
  }
  print(json === true ? JSON.stringify(update) : `${update.id}  ${lineOf(update)}`);
  if (wait === true && (update.failed > 0 || update.state === 'cancelled')) process.exitCode = 1;
}

function lineOf({ state, total, left, unchanged, failed, observedPerSec, etaMs }: UpdateItem): string {
  return [
    `${state}, ${(total - left).toLocaleString('en-US')} of ${counted(total, 'device')}`,
    unchanged > 0 ? `${unchanged.toLocaleString('en-US')} unchanged` : '',
    failed > 0 ? `${failed.toLocaleString('en-US')} failed` : '',
    observedPerSec > 0 ? `${observedPerSec.toLocaleString('en-US')}/s` : '',
    etaMs === undefined ? '' : `${formatDuration(etaMs)} left`,
  ]
    .filter((part) => part !== '')
    .join(', ');
}

/** Text, or with @ before it the content of a file. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text);
  } catch (error) {
    throw new CliError(`${text} cannot be read as JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function pathOf(id: string): string {
  return `/shadow-updates/${encodeURIComponent(id)}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
