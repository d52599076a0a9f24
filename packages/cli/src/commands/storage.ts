import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatBytes, formatDuration, formatTable } from '../table.ts';

interface Part {
  readonly bytes: number;
  readonly files: number;
  readonly from?: string;
  readonly to?: string;
}

interface Storage {
  readonly atMs: number;
  readonly volume: {
    readonly state: string;
    readonly sizeBytes: number;
    readonly freeBytes: number;
    readonly floorBytes: number;
    readonly whenShort: string;
  };
  readonly levels: { readonly raw: Part; readonly hourly: Part; readonly daily: Part };
  readonly future: Part;
  readonly broken: Part;
  readonly archive: Part;
  readonly log: Part;
  readonly other: Part;
  readonly forecast: {
    readonly bytesPerDay: { readonly raw: number; readonly hourly: number; readonly daily: number };
    readonly rateOf?: string;
    readonly points: readonly { readonly inDays: number; readonly bytes: number; readonly freeBytes: number }[];
    readonly floorAtMs?: number;
    readonly steadyBytes?: number;
  };
}

type Options = AddressOptions & { readonly json?: boolean };

const STATES: Readonly<Record<string, string>> = {
  ok: 'there is room',
  low: 'it is near the floor of free space',
  short: 'it is below the floor: the oldest raw telemetry is let go',
  refusing: 'it is below the floor, and nothing more may go: telemetry is refused',
};

/** `selsyn storage` */
export function addStorageCommand(program: Command): void {
  program
    .command('storage')
    .description('show what takes how much of the disk, and where that leads')
    .option('--json', 'print JSON')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const storage = await new ApiClient(findServer(options)).get<Storage>('/storage');
      process.stdout.write(`${options.json === true ? JSON.stringify(storage) : textOf(storage)}\n`);
    });
}

function textOf({ volume, levels, future, broken, archive, log, other, forecast, atMs }: Storage): string {
  const parts: readonly (readonly [name: string, part: Part])[] = [
    ['raw', levels.raw],
    ['hourly', levels.hourly],
    ['daily', levels.daily],
    ...(future.files > 0 ? [['of raw: the future', future] as const] : []),
    ['archive', archive],
    ['log', log],
    ...(broken.files > 0 ? [['broken, set aside', broken] as const] : []),
    ['other', other],
  ];
  const rows = parts.map(([name, { bytes, files, from, to }]) => [
    name,
    formatBytes(bytes),
    String(files),
    from === undefined || to === undefined ? '' : `${from} to ${to}`,
  ]);
  return [
    formatTable(['what', 'size', 'files', 'days (UTC)'], rows),
    '',
    `${formatBytes(volume.freeBytes)} of ${formatBytes(volume.sizeBytes)} are free, the floor is ${formatBytes(volume.floorBytes)}: ${STATES[volume.state] ?? volume.state}`,
    ...forecastLines(forecast, atMs),
  ].join('\n');
}

function forecastLines({ bytesPerDay, rateOf, points, floorAtMs, steadyBytes }: Storage['forecast'], atMs: number): string[] {
  if (rateOf === undefined) return ['no whole day of telemetry has come lately: from one, what comes will be told'];
  const { raw, hourly, daily } = bytesPerDay;
  return [
    `as on ${rateOf}, every day brings ${formatBytes(raw)} raw, ${formatBytes(hourly)} hourly, ${formatBytes(daily)} daily`,
    '',
    formatTable(
      ['in', 'telemetry', 'free'],
      points.map(({ inDays, bytes, freeBytes }) => [
        `${inDays} d`,
        formatBytes(bytes),
        freeBytes < 0 ? 'none' : formatBytes(freeBytes),
      ]),
    ),
    floorAtMs === undefined
      ? steadyBytes === undefined
        ? 'it grows, as some of it is kept for ever; the floor is not reached within ten years'
        : `in the end it takes ${formatBytes(steadyBytes)}`
      : `the floor of free space is reached in ${formatDuration(floorAtMs - atMs)}`,
  ];
}
