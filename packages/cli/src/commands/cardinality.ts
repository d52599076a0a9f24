import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { printable } from '../printable.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { counted, formatAge, formatDuration, formatTable } from '../table.ts';

interface Counts {
  readonly series: number;
  readonly newInHour: number;
  readonly newInDay: number;
}

type DeviceCounts = Counts & { readonly device: string; readonly type?: string; readonly limit?: number };

interface Report {
  readonly atMs: number;
  readonly series: number;
  readonly limit?: number;
  readonly state: string;
  readonly newInHour: number;
  readonly newInDay: number;
  readonly devices: number;
  readonly fullAtMs?: number;
  readonly types: readonly {
    readonly type: string;
    readonly series: number;
    readonly limit?: number;
    readonly seriesPerDevice?: number;
    readonly state: string;
  }[];
  readonly fullDevices: readonly {
    readonly device: string;
    readonly series: number;
    readonly limit?: number;
    readonly state: string;
  }[];
  readonly topDevices: readonly DeviceCounts[];
  readonly growingDevices: readonly DeviceCounts[];
  readonly topMetrics: readonly (Counts & { readonly metric: string })[];
  readonly suspects: readonly (Counts & {
    readonly pattern: string;
    readonly kind: string;
    readonly names: number;
    readonly more: boolean;
    readonly examples: readonly string[];
    readonly device: string;
  })[];
  readonly refusedDevices: readonly {
    readonly device: string;
    readonly scope: string;
    readonly messages: number;
    readonly lastMs: number;
  }[];
}

type Options = AddressOptions & { readonly json?: boolean };

const SCOPES: Readonly<Record<string, string>> = { device: 'its own', type: 'its type’s', whole: 'that of all' };

/** `selsyn cardinality` */
export function addCardinalityCommand(program: Command): void {
  program
    .command('cardinality')
    .description('show how many series there are, what makes them, and how near the limits are')
    .option('--json', 'print JSON')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const report = await new ApiClient(findServer(options)).get<Report>('/cardinality');
      process.stdout.write(`${options.json === true ? JSON.stringify(report) : textOf(report)}\n`);
    });
}

function textOf(report: Report): string {
  const { types, fullDevices, growingDevices, topDevices, topMetrics, suspects, refusedDevices, atMs } = report;
  const grown = (counts: Counts) => [number(counts.series), number(counts.newInHour), number(counts.newInDay)];
  const device = (one: DeviceCounts) => [one.device, one.type ?? '', ...grown(one), shownLimit(one.limit)];
  const limited = types.filter(({ limit }) => limit !== undefined);
  return [
    headOf(report),
    ...section(
      'Device types with a limit',
      ['type', 'series', 'limit', 'state'],
      limited.map((one) => [one.type, number(one.series), shownLimit(one.limit), one.state]),
    ),
    ...section(
      'Devices near their limit',
      ['device', 'series', 'limit', 'state'],
      fullDevices.map((one) => [one.device, number(one.series), shownLimit(one.limit), one.state]),
    ),
    ...section(
      'New metrics were refused',
      ['device', 'messages', 'limit reached', 'last'],
      refusedDevices.map(({ device: id, messages, scope, lastMs }) => {
        return [id, number(messages), SCOPES[scope] ?? scope, `${formatAge(atMs - lastMs)} ago`];
      }),
    ),
    ...section(
      'Names that look like ids, times or numbers',
      ['names', 'how many', 'series', 'in 1 h', 'in 24 h', 'most in', 'as'],
      suspects.map((one) => [
        printable(one.pattern),
        `${number(one.names)}${one.more ? '+' : ''}`,
        ...grown(one),
        one.device,
        printable(one.examples[0] ?? ''),
      ]),
    ),
    ...section('Devices that grow', ['device', 'type', 'series', 'in 1 h', 'in 24 h', 'limit'], growingDevices.map(device)),
    ...section('Largest devices', ['device', 'type', 'series', 'in 1 h', 'in 24 h', 'limit'], topDevices.map(device)),
    ...section(
      'Metrics of the most devices',
      ['metric', 'series', 'in 1 h', 'in 24 h'],
      topMetrics.map((one) => [printable(one.metric), ...grown(one)]),
    ),
  ].join('\n');
}

function headOf({ series, limit, state, devices, newInHour, newInDay, fullAtMs, atMs }: Report): string {
  const of = limit === undefined ? '' : ` of at most ${number(limit)}${state === 'ok' ? '' : ` (${state})`}`;
  const grown = `${number(newInHour)} new in an hour, ${number(newInDay)} in a day`;
  const full = fullAtMs === undefined ? '' : `; full in ${formatDuration(fullAtMs - atMs)} at this rate`;
  return `${number(series)} series${of} of ${counted(devices, 'device')}; ${grown}${full}`;
}

function section(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return rows.length === 0 ? [] : [`\n${title}`, formatTable(head, rows)];
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}

function shownLimit(limit: number | undefined): string {
  return limit === undefined ? '-' : number(limit);
}
