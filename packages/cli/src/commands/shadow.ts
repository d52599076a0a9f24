import type { Command } from 'commander';
import { ApiClient, type Page } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { readEvents } from '../event-stream.ts';
import { printable } from '../printable.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { assignedFields, objectOf } from '../shadow-fields.ts';
import {
  changeLines,
  historyRow,
  nameOf,
  shadowLines,
  type HistoryItem,
  type ShadowChange,
  type ShadowItem,
} from '../shadow-lines.ts';
import { counted, formatAge, formatTable } from '../table.ts';

interface Options extends AddressOptions {
  readonly shadow?: string;
  readonly json?: boolean;
}

interface SetOptions extends Options {
  readonly desired?: string;
  readonly reported?: string;
  readonly replace?: boolean;
  readonly expectedVersion?: string;
}

interface WatchOptions extends Options {
  readonly group?: string;
  readonly fleet?: string;
  readonly filter?: string;
  readonly count?: string;
}

interface SummaryItem {
  readonly name?: string;
  readonly version: number;
  readonly updatedAtMs: number;
}

/** `selsyn shadow get|set|watch|history|list|delete` */
export function addShadowCommands(program: Command): void {
  const shadow = program.command('shadow').description('what devices are to be, and what they say they are');

  withShadow(shadow.command('get <device>'))
    .description('show a shadow')
    .option('--json', 'print JSON')
    .action(async (device: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const item = await clientOf(options).get<ShadowItem>(pathOf(device, options));
      print(options.json === true ? JSON.stringify(item) : shadowLines(device, item, Date.now()));
    });

  withShadow(shadow.command('set <device> [fields...]'))
    .description('change what a device is to be: mode=eco fan.speed=3, and old- to take a field away')
    .option('--desired <json>', 'all of it at once, as JSON or @FILE')
    .option('--reported <json>', 'as if the device had said so, as JSON or @FILE')
    .option('--replace', 'nothing else is to stay')
    .option('--expected-version <n>', 'only if the shadow has this version; 0: only if there never was one')
    .option('--json', 'print JSON')
    .action(async (device: string, fields: readonly string[], _: unknown, command: Command) => {
      await set(device, fields, command.optsWithGlobals<SetOptions>());
    });

  withShadow(shadow.command('watch [devices...]'))
    .description('show changes as they come; Ctrl-C ends it')
    .option('--group <path>', 'only devices in this group or below')
    .option('--fleet <id>', 'only members of this fleet')
    .option('-f, --filter <filter>', 'only devices for which it holds')
    .option('--count <n>', 'end after so many changes')
    .option('--json', 'print JSON lines')
    .action(async (devices: readonly string[], _: unknown, command: Command) => {
      await watch(devices, command.optsWithGlobals<WatchOptions>());
    });

  withShadow(shadow.command('history <device>'))
    .description('list the changes of a shadow, newest first')
    .option('--limit <n>', 'at most so many', '20')
    .option('--json', 'print JSON lines')
    .action(async (device: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options & { readonly limit: string }>();
      const { items } = await clientOf(options).get<Page<HistoryItem>>(`${pathOf(device, options)}/history`, {
        limit: options.limit,
      });
      if (options.json === true) return items.forEach((item) => print(JSON.stringify(item)));
      const nowMs = Date.now();
      const rows = items.map((item) => historyRow(item, nowMs));
      print(rows.length === 0 ? 'nothing is known of it' : formatTable(['version', 'when', 'by', 'what'], rows));
    });

  shadow
    .command('list <device>')
    .description('list the shadows of a device')
    .option('--json', 'print JSON lines')
    .action(async (device: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const rows: string[][] = [];
      for await (const item of clientOf(options).pages<SummaryItem>(`/devices/${encodeURIComponent(device)}/shadows`)) {
        if (options.json === true) print(JSON.stringify(item));
        else rows.push([nameOf(item.name), String(item.version), `${formatAge(Date.now() - item.updatedAtMs)} ago`]);
      }
      if (options.json !== true)
        print(rows.length === 0 ? `${device} has no shadows` : formatTable(['shadow', 'version', 'changed'], rows));
    });

  withShadow(shadow.command('delete <device>'))
    .description('delete a shadow')
    .action(async (device: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await clientOf(options).delete(pathOf(device, options));
      print(`deleted ${nameOf(options.shadow)} of ${device}`);
    });
}

function withShadow(command: Command): Command {
  return command.option('-s, --shadow <name>', 'a named shadow (default: the classic one)');
}

async function set(device: string, fields: readonly string[], options: SetOptions): Promise<void> {
  const { desired, reported, replace, expectedVersion } = options;
  if (fields.length > 0 && desired !== undefined) throw new CliError('give fields or --desired, not both');
  if (fields.length === 0 && desired === undefined && reported === undefined)
    throw new CliError('give fields as mode=eco, or --desired JSON');
  const version = expectedVersion === undefined ? undefined : Number(expectedVersion);
  if (version !== undefined && !(Number.isInteger(version) && version >= 0))
    throw new CliError('--expected-version must be a number');
  const body = {
    ...(fields.length > 0 && { desired: assignedFields(fields) }),
    ...(desired !== undefined && { desired: objectOf('--desired', desired) }),
    ...(reported !== undefined && { reported: objectOf('--reported', reported) }),
    ...(version !== undefined && { expectedVersion: version }),
  };
  const client = clientOf(options);
  const path = pathOf(device, options);
  const item = replace === true ? await client.put<ShadowItem>(path, body) : await client.patch<ShadowItem>(path, body);
  if (options.json === true) return print(JSON.stringify(item));
  const left =
    item.delta === undefined
      ? 'the device is as it is to be'
      : `the device still has to take ${printable(JSON.stringify(item.delta))}`;
  print(`version ${item.version}; ${left}`);
}

async function watch(devices: readonly string[], options: WatchOptions): Promise<void> {
  let left = options.count === undefined ? Number.POSITIVE_INFINITY : Number(options.count);
  if (!(left > 0)) throw new CliError('--count must be a positive number');
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const { group, fleet, filter, shadow } = options;
  const client = clientOf(options);
  // The stream of a device that is not there would be silent for ever.
  for (const device of devices) await client.get(`/devices/${encodeURIComponent(device)}/shadows`, { limit: 1 });
  const query = { group, fleet, filter, shadow, devices: devices.length === 0 ? undefined : devices.join(',') };
  try {
    const response = await client.open('/live/shadows', query, stop.signal);
    for await (const { event, data } of readEvents(response)) {
      if (event === 'watching') say('watching; Ctrl-C ends it');
      else if (event === 'lagged')
        say(`${counted((JSON.parse(data) as { dropped: number }).dropped, 'change')} not shown: there were too many`);
      else if (event === 'bye') throw new CliError('the server has ended the watch');
      else if (event === 'shadow') {
        if (options.json === true) print(data);
        else changeLines(JSON.parse(data) as ShadowChange).forEach(print);
        left -= 1;
        if (left <= 0) break;
      }
    }
    stop.abort();
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
}

function clientOf(options: AddressOptions): ApiClient {
  return new ApiClient(findServer(options));
}

function pathOf(device: string, { shadow }: Options): string {
  const of = `/devices/${encodeURIComponent(device)}`;
  return shadow === undefined || shadow === '' ? `${of}/shadow` : `${of}/shadows/${encodeURIComponent(shadow)}`;
}

/** What is about the stream, not of it. */
function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
