import type { ClientDetailJson, ClientJson, ClientPageJson } from '@selsyn/platform/api/client-directory.ts';
import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { clientLines, clientTable } from '../client-lines.ts';
import { printable } from '../printable.ts';
import { findServer, mosquittoAddress, type AddressOptions, type ServerAddress } from '../server-address.ts';
import { counted } from '../table.ts';

interface ListOptions extends AddressOptions {
  readonly prefix?: string;
  readonly offline?: boolean;
  readonly connected?: boolean;
  readonly limit: string;
  readonly json?: boolean;
}

interface ShowOptions extends AddressOptions {
  readonly disconnect?: boolean;
  readonly discardSession?: boolean;
  readonly json?: boolean;
}

const PAGE = 500;

/** `selsyn clients` and `selsyn client ID` */
export function addClientCommands(program: Command): void {
  program
    .command('clients')
    .description('list MQTT clients: who is connected, who is not, and why')
    .option('--prefix <text>', 'only client ids that begin so')
    .option('--offline', 'only those that are not connected')
    .option('--connected', 'only those that are')
    .option('--limit <n>', 'at most so many', '1000')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => await list(command.optsWithGlobals<ListOptions>()));

  program
    .command('client <id>')
    .description('show an MQTT client: state, session, why it last disconnected, what it was denied')
    .option('--disconnect', 'close its connection')
    .option('--discard-session', 'close its connection and end its session')
    .option('--json', 'print JSON')
    .action(async (id: string, _: unknown, command: Command) => await show(id, command.optsWithGlobals<ShowOptions>()));
}

async function list(options: ListOptions): Promise<void> {
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1) throw new CliError('--limit must be a positive whole number');
  if (options.offline === true && options.connected === true) throw new CliError('give --offline or --connected, not both');
  const state = options.offline === true ? 'offline' : options.connected === true ? 'connected' : undefined;
  const server = findServer(options);
  const api = new ApiClient(server);
  const clients: ClientJson[] = [];
  let page: ClientPageJson;
  let cursor: string | undefined;
  do {
    page = await api.get('/clients', { prefix: options.prefix, state, limit: Math.min(PAGE, limit - clients.length), cursor });
    clients.push(...page.items);
    cursor = page.cursor;
  } while (cursor !== undefined && clients.length < limit);

  if (options.json === true) for (const client of clients) print(JSON.stringify(client));
  else if (clients.length === 0) print(describeNone(options, page.totals, server));
  else {
    print(clientTable(clients, Date.now()));
    if (page.totals !== undefined) print(`\n${describeTotals(page.totals)}`);
  }
  if (cursor !== undefined)
    process.stderr.write(`more clients are left: raise --limit (it is ${limit}), or narrow with --prefix\n`);
}

async function show(id: string, options: ShowOptions): Promise<void> {
  const api = new ApiClient(findServer(options));
  const path = `/clients/${encodeURIComponent(id)}`;
  if (options.disconnect === true || options.discardSession === true) {
    const discard = options.discardSession === true;
    await api.delete(path, { session: discard ? 'discard' : 'keep' });
    print(`disconnected ${printable(id)}${discard ? ' and ended its session' : ''}`);
    return;
  }
  const { items } = await api.get<{ items: ClientDetailJson[] }>(path);
  if (options.json === true) for (const client of items) print(JSON.stringify(client));
  else print(items.map((client) => clientLines(client, Date.now())).join('\n\n'));
}

/** Why a list is empty, and what to do about it. */
function describeNone({ prefix, offline }: ListOptions, totals: ClientPageJson['totals'], server: ServerAddress): string {
  const there = totals === undefined || totals.connected + totals.offline === 0 ? '' : `; there are ${describeTotals(totals)}`;
  if (prefix !== undefined) return `no client id begins with "${prefix}"${there}`;
  if (offline === true) return `no client is offline${there}`;
  return `no client is connected; connect one with: mosquitto_sub ${mosquittoAddress(server.mqttUrl)} -i ID -u DEVICE -P TOKEN -t devices/DEVICE/#`;
}

function describeTotals({ connected, offline }: NonNullable<ClientPageJson['totals']>): string {
  return `${counted(connected, 'client')} connected, ${counted(offline, 'session')} waiting for a client`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
