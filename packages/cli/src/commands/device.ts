import type { Command } from 'commander';
import { ApiClient, type DeviceItem, type Value } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { addDeviceFieldOptions, deviceFieldsOf, type DeviceFieldOptions } from '../device-fields.ts';
import { firstMessage } from '../first-message.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatAge, formatTable } from '../table.ts';
import { addDeviceBulkCommands } from './device-bulk.ts';

interface ListOptions extends AddressOptions {
  readonly q?: string;
  readonly tag?: string;
  readonly filter?: string;
  readonly group?: string;
  readonly json?: boolean;
}

/** `selsyn device add|update|list|show|import|imports|export|remove` */
export function addDeviceCommands(program: Command): void {
  const device = program.command('device').description('add, change, list, show, import, export and remove devices');

  addDeviceFieldOptions(device.command('add <id>').description('add a device; prints its token, which is shown only this once'))
    .option('--json', 'print JSON')
    .action(async (id: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddressOptions & DeviceFieldOptions & { json?: boolean }>();
      const server = findServer(options);
      const client = new ApiClient(server);
      const fields = deviceFieldsOf(options);
      const added = await client.post<{ id: string; token: string }>('/devices', { id, ...fields });
      if (options.json === true) return print(JSON.stringify(added));
      const { type } = options;
      const codec = type === undefined ? undefined : await codecOf(client, type);
      print(
        [
          `device  ${added.id}`,
          `token   ${added.token}   (shown only now)`,
          '',
          firstMessage({ ...added, mqttUrl: server.mqttUrl, type, codec }),
        ].join('\n'),
      );
    });

  addDeviceFieldOptions(device.command('update <id>').description('change a device; what is not given stays'))
    .option('--json', 'print JSON')
    .action(async (id: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddressOptions & DeviceFieldOptions & { json?: boolean }>();
      const client = new ApiClient(findServer(options));
      const item = await client.patch<DeviceItem>(`/devices/${encodeURIComponent(id)}`, deviceFieldsOf(options));
      print(options.json === true ? JSON.stringify(item) : `changed ${item.id}`);
    });

  device
    .command('list')
    .description('list devices with their newest values')
    .option('-q, --q <prefix>', 'only ids that begin so')
    .option('--tag <tag>', 'only devices with this tag')
    .option('--group <path>', 'only devices in this group or below')
    .option('-f, --filter <filter>', 'only devices for which it holds, as \'type = "boiler" and not connected = true\'')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>();
      const client = new ApiClient(findServer(options));
      const rows: string[][] = [];
      for await (const item of client.pages<DeviceItem>('/devices', {
        limit: 500,
        q: options.q,
        tag: options.tag,
        group: options.group,
        filter: options.filter,
        include: 'latest',
      })) {
        if (options.json === true) print(JSON.stringify(item));
        else
          rows.push([
            item.id,
            item.name ?? '',
            item.type ?? '',
            item.group,
            item.tags.join(','),
            lastSeen(item),
            newestValues(item),
          ]);
      }
      if (options.json === true) return;
      print(
        rows.length === 0
          ? isNarrowed(options)
            ? 'no such devices'
            : 'no devices; add one with: npx selsyn device add sensor123'
          : formatTable(['id', 'name', 'type', 'group', 'tags', 'last', 'values'], rows),
      );
    });

  device
    .command('show <id>')
    .description('show a device and the newest value of each of its metrics')
    .option('--json', 'print JSON')
    .action(async (id: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddressOptions & { json?: boolean }>();
      const client = new ApiClient(findServer(options));
      const path = `/devices/${encodeURIComponent(id)}`;
      const item = await client.get<DeviceItem>(path);
      const latest = await client.get<NonNullable<DeviceItem['latest']>>(`${path}/telemetry/latest`);
      if (options.json === true) return print(JSON.stringify({ ...item, latest }));
      print(
        `id       ${item.id}\nname     ${item.name ?? '-'}\ntype     ${item.type ?? '-'}\ngroup    ${item.group}\ntags     ${item.tags.join(', ') || '-'}\nstate    ${stateOf(item)}\nabout    ${JSON.stringify(item.attributes)}\ncreated  ${new Date(item.createdAtMs).toISOString()}\n`,
      );
      const rows = Object.entries(latest).map(([metric, [timeMs, value]]) => [
        metric,
        show(value),
        new Date(timeMs).toISOString(),
        formatAge(Date.now() - timeMs),
      ]);
      print(rows.length === 0 ? 'no telemetry yet' : formatTable(['metric', 'value', 'time', 'age'], rows));
    });

  addDeviceBulkCommands(device);

  device
    .command('remove <id>')
    .description('remove a device, its token and all of its telemetry')
    .action(async (id: string, _: unknown, command: Command) => {
      await new ApiClient(findServer(command.optsWithGlobals<AddressOptions>())).delete(`/devices/${encodeURIComponent(id)}`);
      print(`removed ${id} and its telemetry`);
    });
}

function isNarrowed({ q, tag, group, filter }: ListOptions): boolean {
  return [q, tag, group, filter].some((each) => each !== undefined);
}

function stateOf({ connectivity }: DeviceItem): string {
  if (connectivity === undefined) return 'never connected';
  const age = formatAge(Date.now() - connectivity.sinceMs);
  return connectivity.connected ? `connected for ${age}` : `not connected for ${age}`;
}

function lastSeen(item: DeviceItem): string {
  const times = Object.values(item.latest ?? {}).map(([timeMs]) => timeMs);
  return times.length === 0 ? 'never' : `${formatAge(Date.now() - Math.max(...times))} ago`;
}

function newestValues(item: DeviceItem): string {
  const entries = Object.entries(item.latest ?? {});
  const shown = entries.slice(0, 4).map(([metric, [, value]]) => `${metric}=${show(value)}`);
  return entries.length > 4 ? `${shown.join(' ')} (+${entries.length - 4})` : shown.join(' ');
}

function show(value: Value): string {
  return typeof value === 'number' ? String(Number(value.toPrecision(8))) : String(value);
}

/** Undefined where it cannot be told: who adds devices need not be allowed to read types. */
async function codecOf(client: ApiClient, type: string): Promise<string | undefined> {
  try {
    return (await client.get<{ codec?: string }>(`/device-types/${encodeURIComponent(type)}`)).codec;
  } catch (error) {
    if (error instanceof CliError) return undefined;
    throw error;
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
