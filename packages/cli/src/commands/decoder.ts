import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { readInput, readJson, readText } from '../input-file.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatTable } from '../table.ts';

interface DecoderItem {
  readonly name: string;
  readonly description?: string;
  readonly builtIn: boolean;
  readonly format: { readonly kind: string };
  readonly compression: string;
}

interface Trial {
  readonly ok: boolean;
  readonly points: readonly {
    readonly metric: string;
    readonly timeMs?: number;
    readonly value: number | boolean | string;
    readonly unit?: string;
    readonly outOfRange?: true;
  }[];
  readonly count: number;
  readonly unitsKept: readonly { readonly metric: string; readonly unit: string }[];
  readonly error?: { readonly code: string; readonly reason: string };
}

interface Fields {
  readonly description?: string;
  readonly format?: string;
  readonly script?: string;
  readonly compression?: string;
}

interface Message {
  readonly text?: string;
  readonly hex?: string;
  readonly base64?: string;
  readonly file?: string;
  readonly type?: string;
}

type Options = AddressOptions & Fields & Message & { readonly json?: boolean };

/** `selsyn decoder list|show|add|update|remove|test` */
export function addDecoderCommands(program: Command): void {
  const decoder = program.command('decoder').description('decoders: how the payloads of device types are read');

  decoder
    .command('list')
    .description('list decoders, those that are built in first')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { items } = await new ApiClient(findServer(options)).get<{ items: readonly DecoderItem[] }>('/decoders');
      if (options.json === true) return items.forEach((item) => print(JSON.stringify(item)));
      const rows = items.map(({ name, builtIn, format, compression, description }) => [
        name,
        builtIn ? 'built in' : format.kind,
        compression,
        description ?? '',
      ]);
      print(formatTable(['name', 'format', 'compression', 'description'], rows));
    });

  decoder
    .command('show <name>')
    .description('show a decoder as JSON')
    .action(async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      print(JSON.stringify(await new ApiClient(findServer(options)).get<DecoderItem>(pathOf(name)), undefined, 2));
    });

  fieldOptions(decoder.command('add <name>').description('declare a decoder')).action(
    async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      if (options.format === undefined && options.script === undefined) {
        throw new CliError('say how it reads, with --format FILE or --script FILE');
      }
      await new ApiClient(findServer(options)).post('/decoders', { name, ...fieldsOf(options) });
      print(`added ${name}; have a device type read by it: selsyn type update TYPE --codec ${name}`);
    },
  );

  fieldOptions(decoder.command('update <name>').description('change a decoder; what is not given stays')).action(
    async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await new ApiClient(findServer(options)).patch(pathOf(name), fieldsOf(options));
      print(`changed ${name}`);
    },
  );

  decoder
    .command('remove <name>')
    .description('remove a decoder that no device type names')
    .action(async (name: string, _: unknown, command: Command) => {
      await new ApiClient(findServer(command.optsWithGlobals<Options>())).delete(pathOf(name));
      print(`removed ${name}`);
    });

  decoder
    .command('test [name]')
    .description('see what a message becomes: by a decoder, or without a name as the devices of --type are read')
    .option('--text <payload>', 'the message as text')
    .option('--hex <payload>', 'the message as hexadecimal digits')
    .option('--base64 <payload>', 'the message as base64')
    .option('--file <path>', 'a file with the message; - is the standard input')
    .option('--type <name>', 'a device type, whose units and ranges count')
    .option('--json', 'print JSON')
    .action(async (name: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const api = new ApiClient(findServer(options));
      const { type } = options;
      if (name === undefined && type === undefined) throw new CliError('name a decoder, or a device type with --type');
      const trial =
        name === undefined
          ? await api.post<Trial>(`/device-types/${encodeURIComponent(type ?? '')}/decode`, messageOf(options))
          : await api.post<Trial>(`${pathOf(name)}/test`, { ...messageOf(options), ...(type !== undefined && { type }) });
      if (options.json === true) print(JSON.stringify(trial));
      else printTrial(trial);
      if (!trial.ok) process.exitCode = 1;
    });
}

function printTrial({ points, count, unitsKept, error }: Trial): void {
  if (error !== undefined) {
    print(`refused: ${error.reason} (${error.code})`);
    return;
  }
  const rows = points.map(({ metric, timeMs, value, unit, outOfRange }) => [
    timeMs === undefined ? 'at arrival' : new Date(timeMs).toISOString(),
    metric,
    JSON.stringify(value),
    unit ?? '',
    outOfRange === true ? 'out of range' : '',
  ]);
  print(rows.length === 0 ? 'no points' : formatTable(['time', 'metric', 'value', 'unit', ''], rows));
  if (count > points.length) print(`and ${count - points.length} more`);
  for (const { metric, unit } of unitsKept)
    print(`${metric} came in ${unit}, which has no way to the unit of the type: it is kept so`);
}

function fieldOptions(command: Command): Command {
  return command
    .option('--description <text>', 'for people')
    .option('--format <file>', 'a JSON file: {"kind": "packed", "layout": ">Qff", "fields": ["ts", "temperature", "humidity"]}')
    .option('--script <file>', 'a JavaScript file with a function decode(bytes, context)')
    .option('--compression <kind>', 'none, auto, gzip, zlib or zstd');
}

function fieldsOf({ description, format, script, compression }: Fields): object {
  return {
    ...(description !== undefined && { description }),
    ...(format !== undefined && { format: readJson(format) }),
    ...(script !== undefined && { format: { kind: 'script', source: readText(script) } }),
    ...(compression !== undefined && { compression }),
  };
}

function messageOf({ text, hex, base64, file }: Message): object {
  const given = [text, hex, base64, file].filter((each) => each !== undefined);
  if (given.length !== 1) throw new CliError('give the message with one of --text, --hex, --base64 and --file');
  if (text !== undefined) return { payload: text };
  if (hex !== undefined) return { payloadHex: hex };
  if (base64 !== undefined) return { payloadBase64: base64 };
  return { payloadBase64: readInput(file ?? '').toString('base64') };
}

function pathOf(name: string): string {
  return `/decoders/${encodeURIComponent(name)}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
