import type { Command as Program } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { commandLines, commandRow, type CommandItem } from '../command-lines.ts';
import { readEvents } from '../event-stream.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatTable } from '../table.ts';

interface SendOptions extends AddressOptions {
  readonly payload?: string;
  readonly wait?: string | true;
  readonly expires?: string;
  readonly oneWay?: boolean;
  readonly idempotencyKey?: string;
  readonly json?: boolean;
}

interface ListOptions extends AddressOptions {
  readonly state?: string;
  readonly name?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit: string;
  readonly json?: boolean;
}

type ShowOptions = AddressOptions & { readonly json?: boolean };

const PAGE = 500;
const DEFAULT_WAIT_SEC = 30;
const HEAD = ['id', 'device', 'name', 'state', 'given', 'answer'] as const;
const ENDS: ReadonlySet<string> = new Set(['succeeded', 'failed', 'expired', 'cancelled']);

/** `selsyn command send|list|show|cancel|watch` */
export function addCommandCommands(program: Program): void {
  const parent = program.command('command').description('commands to devices');

  parent
    .command('send <device> <name>')
    .description('give a device a command; it waits for one that is away')
    .option('--payload <json>', 'what goes with it')
    .option('--wait [seconds]', 'wait for the answer (default: 30 s); it fails where there is none')
    .option('--expires <time>', 'give it up then: now+1h, or ISO 8601 (default: a day, or the time that is waited)')
    .option('--one-way', 'await no answer: done once the device has it')
    .option('--idempotency-key <key>', 'with the same key again it is the same command')
    .option('--json', 'print JSON')
    .action(async (device: string, name: string, _: unknown, command: Program) => {
      await send(device, name, command.optsWithGlobals<SendOptions>());
    });

  parent
    .command('list [device]')
    .description('list commands, newest first')
    .option('--state <states>', 'only in these states, with commas between: queued,sent,delivered')
    .option('--name <name>', 'only of this name')
    .option('--from <time>', 'only given at this time or later: now-1h, or ISO 8601')
    .option('--to <time>', 'only given before')
    .option('--limit <n>', 'at most so many', '100')
    .option('--json', 'print JSON lines')
    .action(async (device: string | undefined, _: unknown, command: Program) => {
      await list(device, command.optsWithGlobals<ListOptions>());
    });

  parent
    .command('show <device> <id>')
    .description('show a command, and what has become of it')
    .option('--json', 'print JSON')
    .action(async (device: string, id: string, _: unknown, command: Program) => {
      const options = command.optsWithGlobals<ShowOptions>();
      const item = await new ApiClient(findServer(options)).get<CommandItem>(pathOf(device, id));
      print(options.json === true ? JSON.stringify(item) : commandLines(item));
    });

  parent
    .command('cancel <device> <id>')
    .description('take a command back; a device that has it already is not stopped')
    .action(async (device: string, id: string, _: unknown, command: Program) => {
      await new ApiClient(findServer(command.optsWithGlobals<AddressOptions>())).post(`${pathOf(device, id)}/cancel`);
      print(`cancelled ${id}`);
    });

  parent
    .command('watch <device> [id]')
    .description('print the states of commands as they change; of one, until it has ended')
    .option('--json', 'print JSON lines')
    .action(async (device: string, id: string | undefined, _: unknown, command: Program) => {
      await watch(device, id, command.optsWithGlobals<ShowOptions>());
    });
}

async function send(device: string, name: string, options: SendOptions): Promise<void> {
  const { payload, wait, expires, oneWay, idempotencyKey } = options;
  const body = {
    name,
    ...(payload !== undefined && { payload: parseJson(payload) }),
    ...(wait !== undefined && { wait: true, timeoutMs: secondsOf(wait) * 1_000 }),
    ...(expires !== undefined && { expiresAt: expires }),
    ...(oneWay === true && { oneWay }),
  };
  const headers = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
  const api = new ApiClient(findServer(options));
  const item = await api.post<CommandItem>(`/devices/${encodeURIComponent(device)}/commands`, body, headers);
  if (options.json === true) print(JSON.stringify(item));
  else if (ENDS.has(item.state)) print(commandLines(item));
  else print(`${item.id} ${item.state}`);
  if (item.state === 'failed') process.exitCode = 1;
}

async function list(device: string | undefined, options: ListOptions): Promise<void> {
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1) throw new CliError('--limit must be a positive whole number');
  const { state, name, from, to } = options;
  const path = device === undefined ? '/commands' : `/devices/${encodeURIComponent(device)}/commands`;
  const query = { state, name, from, to, limit: Math.min(limit, PAGE) };
  const rows: string[][] = [];
  let left = limit;
  for await (const item of new ApiClient(findServer(options)).pages<CommandItem>(path, query)) {
    if (left-- === 0) break;
    if (options.json === true) print(JSON.stringify(item));
    else rows.push(commandRow(item, Date.now()));
  }
  if (options.json !== true) print(rows.length === 0 ? 'no commands' : formatTable(HEAD, rows));
  if (left < 0) process.stderr.write(`more commands are left: raise --limit (it is ${limit}), or narrow with --state\n`);
}

async function watch(device: string, id: string | undefined, options: ShowOptions): Promise<void> {
  const api = new ApiClient(findServer(options));
  // The stream of a device that is not there would be silent for ever.
  if (id === undefined) await api.get(`/devices/${encodeURIComponent(device)}/commands`, { limit: 1 });
  const ended = new AbortController();
  const response = await api.open('/live/commands', { devices: device, command: id }, ended.signal);
  const tell = (event: { readonly device: string; readonly command: string; readonly state: string }): void =>
    print(options.json === true ? JSON.stringify(event) : `${new Date().toISOString()} ${event.command} ${event.state}`);
  for await (const { event, data } of readEvents(response)) {
    const isLost = event === 'lagged';
    if (event === 'watching') process.stderr.write('watching; Ctrl-C ends it\n');
    // What it is now; what comes after that is told.
    if ((event === 'watching' || isLost) && id !== undefined) {
      const { state } = await api.get<CommandItem>(pathOf(device, id));
      tell({ device, command: id, state });
      if (ENDS.has(state)) break;
    } else if (isLost) process.stderr.write('some changes were missed\n');
    else if (event === 'bye') throw new CliError('the server has ended the watch');
    else if (event === 'command') {
      const change = JSON.parse(data) as { readonly device: string; readonly command: string; readonly state: string };
      tell(change);
      if (id !== undefined && ENDS.has(change.state)) break;
    }
  }
  ended.abort();
}

function pathOf(device: string, id: string): string {
  return `/devices/${encodeURIComponent(device)}/commands/${encodeURIComponent(id)}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new CliError(`--payload is not JSON: put texts into quotation marks, such as '"on"'`);
  }
}

function secondsOf(wait: string | true): number {
  const seconds = wait === true ? DEFAULT_WAIT_SEC : Number(wait);
  if (!Number.isFinite(seconds) || seconds <= 0 || seconds > 100) throw new CliError('--wait takes up to 100 seconds');
  return Math.max(0.001, Math.round(seconds * 1_000) / 1_000);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
