import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { jobBody, rolloutOf, type JobOptions } from '../job-fields.ts';
import { printable } from '../printable.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatAge, formatTable } from '../table.ts';

interface JobItem {
  readonly id: string;
  readonly group: string;
  readonly status: string;
  readonly targets: readonly string[];
  readonly targetSelection: string;
  readonly description?: string;
  readonly document?: unknown;
  readonly counts: Readonly<Record<string, number>>;
  readonly progress: {
    readonly expanding: boolean;
    readonly waiting: number;
    readonly notified: number;
    readonly finished: number;
    readonly ratePerMinute?: number;
  };
  readonly reason?: { readonly code: string; readonly comment?: string };
  readonly createdAtMs: number;
}

interface ExecutionItem {
  readonly job: string;
  readonly device: string;
  readonly number: number;
  readonly status: string;
  readonly statusDetails?: Readonly<Record<string, string>>;
  readonly retryAttempt: number;
  readonly updatedAtMs: number;
}

type Options = AddressOptions & {
  readonly json?: boolean;
  readonly force?: boolean;
  readonly comment?: string;
  readonly status?: string;
  readonly device?: string;
  readonly watch?: boolean;
};

const OPEN: ReadonlySet<string> = new Set(['SCHEDULED', 'IN_PROGRESS']);
const WATCH_MS = 1_000;

/** `selsyn job create|list|show|watch|executions|update|cancel|delete` */
export function addJobCommands(program: Command): void {
  const job = program.command('job').description('work for many devices');
  addCreate(job);
  addReading(job);
  addEnding(job);
}

function addCreate(job: Command): void {
  job
    .command('create <id>')
    .description('have many devices do something')
    .option('--target <target...>', 'device:ID, group:/PATH, fleet:ID, type:NAME')
    .option('--document <json>', 'what devices are given; @file reads it from a file')
    .option('--parameter <name=value...>', 'put in where the document says ${parameters.NAME}')
    .option('--continuous', 'also whoever joins the targets later')
    .option('--group <path>', 'the group that the job stands in (default: the nearest that has all targets)')
    .option('--description <text>', 'for people')
    .option('--rate <rate>', 'devices a minute: 100, or growing: 10*2/100..1000')
    .option('--timeout <minutes>', 'an execution that is in progress for longer has failed')
    .option('--retries <n>', 'how often a device that failed tries again')
    .option('--abort <percent/least>', 'cancel when so many fail: 10%/50')
    .option('--start <time>', 'when it begins: now+1h, or ISO 8601')
    .option('--end <time>', 'when it ends')
    .option('--end-behavior <what>', 'STOP_ROLLOUT, CANCEL or FORCE_CANCEL')
    .option('--window <cron/minutes...>', 'only then, by the clocks of the device: "0 2 * * * / 120"')
    .option('--zone <name>', 'the time zone of devices that name none: Europe/Berlin')
    .option('--config <json>', 'all or part of it as the API takes it; @file reads it from a file')
    .option('--watch', 'stay and show how far it is')
    .action(async (id: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options & JobOptions>();
      const client = new ApiClient(findServer(options));
      await client.post('/jobs', jobBody(id, options));
      print(`created ${id}`);
      if (options.watch === true) await watch(client, id);
    });

  job
    .command('update <id>')
    .description('change a job that has not ended')
    .option('--rate <rate>', 'devices a minute: 100, or growing: 10*2/100..1000; none: all at once')
    .option('--description <text>', 'for people')
    .option('--end <time>', 'when it ends')
    .action(async (id: string, _: unknown, command: Command) => {
      const { rate, description, end, ...options } = command.optsWithGlobals<AddressOptions & JobOptions>();
      if (rate === undefined && description === undefined && end === undefined)
        throw new CliError('say what to change: --rate, --description or --end');
      await new ApiClient(findServer(options)).patch(pathOf(id), {
        ...(rate !== undefined && { rollout: rate === 'none' ? null : rolloutOf(rate) }),
        ...(description !== undefined && { description }),
        ...(end !== undefined && { schedule: { endTime: end } }),
      });
      print(`changed ${id}`);
    });
}

function addReading(job: Command): void {
  job
    .command('list')
    .description('list jobs, newest first')
    .option('--status <status>', 'SCHEDULED, IN_PROGRESS, COMPLETED, CANCELED or DELETION_IN_PROGRESS')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const rows: string[][] = [];
      for await (const item of new ApiClient(findServer(options)).pages<JobItem>('/jobs', { status: options.status })) {
        if (options.json === true) print(JSON.stringify(item));
        else rows.push([item.id, item.status, item.group, ...numbersOf(item), formatAge(Date.now() - item.createdAtMs)]);
      }
      if (options.json === true) return;
      print(
        rows.length === 0
          ? 'no jobs'
          : formatTable(['id', 'status', 'group', 'waiting', 'queued', 'in progress', 'succeeded', 'failed', 'age'], rows),
      );
    });

  job
    .command('show <id>')
    .description('show a job and how far it is')
    .option('--json', 'print JSON')
    .action(async (id: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const item = await new ApiClient(findServer(options)).get<JobItem>(pathOf(id));
      print(options.json === true ? JSON.stringify(item) : described(item));
    });

  job
    .command('watch <id>')
    .description('show how far a job is until it ends; Ctrl-C stops watching')
    .action(async (id: string, _: unknown, command: Command) => {
      await watch(new ApiClient(findServer(command.optsWithGlobals<Options>())), id);
    });

  job
    .command('executions <id>')
    .description('list what a job does on each device, or with --device what it did on one')
    .option('--status <status>', 'QUEUED, IN_PROGRESS, SUCCEEDED, FAILED, REJECTED, TIMED_OUT, CANCELED or REMOVED')
    .option('--device <id>', 'only this device, with all that happened')
    .option('--json', 'print JSON lines')
    .action(async (id: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const client = new ApiClient(findServer(options));
      if (options.device !== undefined) return await showHistory(client, id, options.device, options.json === true);
      const rows: string[][] = [];
      const query = { status: options.status, limit: 500 };
      for await (const item of client.pages<ExecutionItem>(`${pathOf(id)}/executions`, query)) {
        if (options.json === true) print(JSON.stringify(item));
        else rows.push(executionRow(item));
      }
      if (options.json === true) return;
      print(rows.length === 0 ? 'no executions' : formatTable(['device', 'number', 'status', 'age', 'details'], rows));
    });
}

function addEnding(job: Command): void {
  job
    .command('cancel <id>')
    .description('end a job: what is queued is cancelled, what devices have begun goes on')
    .option('--force', 'also what devices have begun')
    .option('--comment <text>', 'why')
    .option('--device <id>', 'on this device alone')
    .action(async (id: string, _: unknown, command: Command) => {
      const { force = false, comment, device, ...options } = command.optsWithGlobals<Options>();
      const client = new ApiClient(findServer(options));
      if (device !== undefined) {
        await client.post(`${pathOf(id)}/executions/${encodeURIComponent(device)}/cancel`, { force });
        return print(`cancelled ${id} on ${device}`);
      }
      await client.post(`${pathOf(id)}/cancel`, { force, ...(comment !== undefined && { comment }) });
      print(`cancelled ${id}`);
    });

  job
    .command('delete <id>')
    .description('delete a job and all of its executions')
    .option('--force', 'also one that has not ended; devices are not told')
    .action(async (id: string, _: unknown, command: Command) => {
      const { force = false, ...options } = command.optsWithGlobals<Options>();
      await new ApiClient(findServer(options)).delete(pathOf(id), { force: String(force) });
      print(`deleted ${id}`);
    });
}

async function watch(client: ApiClient, id: string): Promise<void> {
  let last = '';
  for (;;) {
    const item = await client.get<JobItem>(pathOf(id));
    const line = lineOf(item);
    if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K${line}`);
    else if (line !== last) print(line);
    last = line;
    const isOver = !OPEN.has(item.status) && (item.status !== 'CANCELED' || item.counts['QUEUED'] === 0);
    if (isOver) {
      if (process.stdout.isTTY) print('');
      if (item.status === 'CANCELED')
        throw new CliError(`${id} was cancelled: ${item.reason?.code ?? ''} ${item.reason?.comment ?? ''}`.trim());
      return;
    }
    await sleep(WATCH_MS);
  }
}

function lineOf({ status, counts, progress }: JobItem): string {
  const parts = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count.toLocaleString('en-US')} ${name}`);
  if (progress.waiting > 0) parts.unshift(`${progress.waiting.toLocaleString('en-US')} waiting`);
  if (progress.expanding) parts.unshift('finding devices');
  return `${status}  ${parts.join(' · ')}`;
}

async function showHistory(client: ApiClient, id: string, device: string, json: boolean): Promise<void> {
  const item = await client.get<
    ExecutionItem & {
      readonly history: readonly {
        readonly atMs: number;
        readonly status: string;
        readonly cause: string;
        readonly statusDetails?: Readonly<Record<string, string>>;
      }[];
    }
  >(`${pathOf(id)}/executions/${encodeURIComponent(device)}`);
  if (json) return print(JSON.stringify(item));
  const rows = item.history.map(({ atMs, status, cause, statusDetails }) => [
    new Date(atMs).toISOString(),
    status,
    cause,
    detailsText(statusDetails),
  ]);
  print(
    `execution ${item.number} of ${item.job} on ${item.device}: ${item.status}\n\n${formatTable(['time', 'status', 'cause', 'details'], rows)}`,
  );
}

function described(item: JobItem): string {
  const { progress, counts, reason } = item;
  const lines = [
    `id        ${item.id}`,
    `status    ${item.status}${reason === undefined ? '' : ` (${printable(`${reason.code} ${reason.comment ?? ''}`.trim())})`}`,
    `group     ${item.group}`,
    `targets   ${item.targets.join(' ')} (${item.targetSelection})`,
    ...(item.description === undefined ? [] : [`about     ${printable(item.description)}`]),
    `document  ${printable(JSON.stringify(item.document))}`,
    `devices   ${progress.notified.toLocaleString('en-US')} told, ${progress.waiting.toLocaleString('en-US')} waiting, ${progress.finished.toLocaleString('en-US')} through`,
    ...(progress.ratePerMinute === undefined ? [] : [`rate      ${progress.ratePerMinute.toLocaleString('en-US')} a minute`]),
  ];
  const rows = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([status, count]) => [status, count.toLocaleString('en-US')]);
  return rows.length === 0 ? lines.join('\n') : `${lines.join('\n')}\n\n${formatTable(['status', 'devices'], rows)}`;
}

function numbersOf({ progress, counts }: JobItem): readonly string[] {
  const failed = ['FAILED', 'REJECTED', 'TIMED_OUT'].reduce((sum, status) => sum + (counts[status] ?? 0), 0);
  return [progress.waiting, counts['QUEUED'] ?? 0, counts['IN_PROGRESS'] ?? 0, counts['SUCCEEDED'] ?? 0, failed].map(String);
}

function executionRow({ device, number, status, updatedAtMs, statusDetails }: ExecutionItem): string[] {
  return [device, String(number), status, formatAge(Date.now() - updatedAtMs), detailsText(statusDetails)];
}

function detailsText(details: Readonly<Record<string, string>> = {}): string {
  return printable(
    Object.entries(details)
      .map(([name, value]) => `${name}=${value}`)
      .join(' '),
  );
}

function pathOf(id: string): string {
  return `/jobs/${encodeURIComponent(id)}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
