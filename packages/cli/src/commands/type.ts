import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { readJson } from '../input-file.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatTable } from '../table.ts';

interface MetricItem {
  readonly metric: string;
  readonly unit?: string;
  readonly type: string;
  readonly min?: number;
  readonly max?: number;
}

interface TypeItem {
  readonly name: string;
  readonly description?: string;
  readonly telemetry: readonly MetricItem[];
  readonly hardwareVersions: readonly string[];
  readonly codec?: string;
  readonly codecMissing?: true;
  readonly maxSeries?: number;
  readonly maxSeriesPerDevice?: number;
  readonly shadowSchemas: readonly { readonly shadow?: string; readonly desired?: object; readonly reported?: object }[];
  readonly devices?: number;
}

interface Fields {
  readonly description?: string;
  readonly hardware?: readonly string[];
  readonly codec?: string;
  readonly maxSeries?: string;
  readonly maxSeriesPerDevice?: string;
  readonly telemetry?: string;
  readonly shadowSchemas?: string;
}

type Options = AddressOptions & Fields & { readonly json?: boolean };

/** `selsyn type list|show|add|update|remove` */
export function addTypeCommands(program: Command): void {
  const type = program.command('type').description('device types: what devices of a kind send, and which versions there are');

  type
    .command('list')
    .description('list device types')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { items } = await new ApiClient(findServer(options)).get<{ items: readonly TypeItem[] }>('/device-types');
      if (options.json === true) return items.forEach((item) => print(JSON.stringify(item)));
      const rows = items.map((item) => [
        item.name,
        String(item.devices ?? ''),
        String(item.telemetry.length),
        item.hardwareVersions.join(','),
        item.description ?? '',
      ]);
      print(
        rows.length === 0
          ? 'no device types; add one with: npx selsyn type add boiler'
          : formatTable(['name', 'devices', 'metrics', 'hardware', 'description'], rows),
      );
    });

  type
    .command('show <name>')
    .description('show a device type and its metrics')
    .option('--json', 'print JSON')
    .action(async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const item = await new ApiClient(findServer(options)).get<TypeItem>(pathOf(name));
      if (options.json === true) return print(JSON.stringify(item));
      print(
        `name      ${item.name}\nabout     ${item.description ?? '-'}\ndevices   ${item.devices ?? '-'}\nhardware  ${item.hardwareVersions.join(', ') || 'any'}\ncodec     ${item.codec ?? '-'}${item.codecMissing === true ? ' (there is no such decoder: all messages are refused)' : ''}\nseries    ${limitsOf(item)}\n`,
      );
      const rows = item.telemetry.map((each) => [
        each.metric,
        each.type,
        each.unit ?? '',
        String(each.min ?? ''),
        String(each.max ?? ''),
      ]);
      print(rows.length === 0 ? 'any metrics' : formatTable(['metric', 'type', 'unit', 'min', 'max'], rows));
      for (const { shadow, desired, reported } of item.shadowSchemas) {
        print(`\nschema of the shadow${shadow === undefined ? '' : ` ${shadow}`}`);
        if (desired !== undefined) print(`desired   ${JSON.stringify(desired)}`);
        if (reported !== undefined) print(`reported  ${JSON.stringify(reported)}`);
      }
    });

  fieldOptions(type.command('add <name>').description('add a device type')).action(
    async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await new ApiClient(findServer(options)).post('/device-types', { name, ...fieldsOf(options) });
      print(`added ${name}`);
    },
  );

  fieldOptions(type.command('update <name>').description('change a device type; what is not given stays')).action(
    async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await new ApiClient(findServer(options)).patch(pathOf(name), fieldsOf(options));
      print(`changed ${name}`);
    },
  );

  type
    .command('remove <name>')
    .description('remove a device type of which there are no devices')
    .action(async (name: string, _: unknown, command: Command) => {
      await new ApiClient(findServer(command.optsWithGlobals<Options>())).delete(pathOf(name));
      print(`removed ${name}`);
    });
}

function fieldOptions(command: Command): Command {
  return command
    .option('--description <text>', 'for people')
    .option('--hardware <versions...>', 'the hardware versions that there are')
    .option('--codec <name>', 'the decoder that reads the payloads; empty: the platform’s own JSON')
    .option('--max-series <count>', 'series that its devices may have together; 0: as configured')
    .option('--max-series-per-device <count>', 'series that one of its devices may have; 0: as configured')
    .option(
      '--telemetry <file>',
      'a JSON file: [{"metric": "temperature", "unit": "°C", "type": "number", "min": -40, "max": 120}]',
    )
    .option(
      '--shadow-schemas <file>',
      'a JSON file: [{"shadow": "config", "desired": {JSON Schema}, "reported": {JSON Schema}}]',
    );
}

function fieldsOf({ description, hardware, codec, telemetry, shadowSchemas, maxSeries, maxSeriesPerDevice }: Fields): object {
  return {
    ...(description !== undefined && { description }),
    ...(hardware !== undefined && { hardwareVersions: hardware }),
    ...(codec !== undefined && { codec }),
    ...(maxSeries !== undefined && { maxSeries: Number(maxSeries) }),
    ...(maxSeriesPerDevice !== undefined && { maxSeriesPerDevice: Number(maxSeriesPerDevice) }),
    ...(telemetry !== undefined && { telemetry: readJson(telemetry) }),
    ...(shadowSchemas !== undefined && { shadowSchemas: readJson(shadowSchemas) }),
  };
}

function limitsOf({ maxSeries, maxSeriesPerDevice }: TypeItem): string {
  const limits = [
    ...(maxSeries === undefined ? [] : [`at most ${maxSeries}`]),
    ...(maxSeriesPerDevice === undefined ? [] : [`at most ${maxSeriesPerDevice} of a device`]),
  ];
  return limits.join(', ') || 'as configured';
}

function pathOf(name: string): string {
  return `/device-types/${encodeURIComponent(name)}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
