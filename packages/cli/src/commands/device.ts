import type { Command } from 'commander';
import { ApiClient, type DeviceItem, type Value } from '../api-client.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatAge, formatTable } from '../table.ts';

interface ListOptions extends AddressOptions {
  readonly q?: string;
  readonly tag?: string;
  readonly json?: boolean;
}

/** `selsyn device add|list|show|remove|certificate` */
export function addDeviceCommands(program: Command): void {
  const device = program.command('device').description('add, list, show and remove devices, issue certificates');

  device
    .command('add <id>')
    .description('add a device; prints its token, which is shown only this once')
    .option('--name <text>', 'a name for people')
    .option('--json', 'print JSON')
    .action(async (id: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddressOptions & { name?: string; json?: boolean }>();
      const server = findServer(options);
      const added = await new ApiClient(server).post<{ id: string; token: string }>('/devices', {
        id,
        ...(options.name === undefined ? {} : { name: options.name }),
      });
      if (options.json === true) return print(JSON.stringify(added));
      const { hostname, port } = new URL(server.mqttUrl);
      print(
        [
          `device  ${added.id}`,
          `token   ${added.token}   (shown only now)`,
          '',
          `mosquitto_pub -h ${hostname} -p ${port === '' ? '1883' : port} -i ${added.id} -u ${added.id} -P ${added.token} -q 1 -t telemetry/${added.id} -m '{"temperature":23.5}'`,
        ].join('\n'),
      );
    });

  device
    .command('list')
    .description('list devices with their newest values')
    .option('-q, --q <prefix>', 'only ids that begin so')
    .option('--tag <tag>', 'only devices with this tag')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>();
      const client = new ApiClient(findServer(options));
      const rows: string[][] = [];
      for await (const item of client.pages<DeviceItem>('/devices', {
        limit: 500,
        q: options.q,
        tag: options.tag,
        include: 'latest',
      })) {
        if (options.json === true) print(JSON.stringify(item));
        else rows.push([item.id, item.name ?? '', item.tags.join(','), lastSeen(item), newestValues(item)]);
      }
      if (options.json === true) return;
      print(
        rows.length === 0
          ? 'no devices; add one with: npx selsyn device add sensor123'
          : formatTable(['id', 'name', 'tags', 'last', 'values'], rows),
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
        `id       ${item.id}\nname     ${item.name ?? '-'}\ntags     ${item.tags.join(', ') || '-'}\ncreated  ${new Date(item.createdAtMs).toISOString()}\n`,
      );
      const rows = Object.entries(latest).map(([metric, [timeMs, value]]) => [
        metric,
        show(value),
        new Date(timeMs).toISOString(),
        formatAge(Date.now() - timeMs),
      ]);
      print(rows.length === 0 ? 'no telemetry yet' : formatTable(['metric', 'value', 'time', 'age'], rows));
    });

  device
    .command('remove <id>')
    .description('remove a device, its token and all of its telemetry')
    .action(async (id: string, _: unknown, command: Command) => {
      await new ApiClient(findServer(command.optsWithGlobals<AddressOptions>())).delete(`/devices/${encodeURIComponent(id)}`);
      print(`removed ${id} and its telemetry`);
    });

  device
    .command('certificate <id>')
    .description('issue a certificate for TLS by the authority in the data folder on this machine')
    .requiredOption('--out <folder>', 'where to write ID.crt, ID.key and ca.crt')
    .action(async (id: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddressOptions & { out: string }>();
      // Loaded only here, so that the other commands start fast.
      const { writeDeviceCertificate } = await import('@selsyn/platform/app/device-certificate.ts');
      const data = options.data ?? process.env['SELSYN_DATA'] ?? 'data';
      const written = await writeDeviceCertificate({ data, deviceId: id, out: options.out });
      print(`certificate  ${written.certificate}\nkey          ${written.key}\nauthority    ${written.authority}`);
    });
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

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
