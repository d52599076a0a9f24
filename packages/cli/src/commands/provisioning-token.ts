import type { ProvisioningTokenJson } from '@selsyn/platform/api/provisioning-token-routes.ts';
import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { printable } from '../printable.ts';
import { readText } from '../input-file.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { counted, formatDuration, formatTable } from '../table.ts';

interface CreateOptions extends AddressOptions {
  readonly template: string;
  readonly batch?: string;
  readonly serials?: string;
  readonly tokens?: string;
  readonly count: string;
  readonly days: string;
  readonly rate: string;
  readonly json?: boolean;
}

interface ListOptions extends AddressOptions {
  readonly template?: string;
  readonly batch?: string;
  readonly json?: boolean;
}

interface StopOptions extends AddressOptions {
  readonly template?: string;
  readonly batch?: string;
}

type NewToken = ProvisioningTokenJson & { readonly token: string };

const DAY_MS = 86_400_000;
const PAGE = 500;
/** What the server makes in one request. */
const TOKENS_AT_ONCE = 1_000;

/** `selsyn provisioning token create|list|stop` */
export function addTokenCommands(provisioning: Command): void {
  const token = provisioning.command('token').description('tokens by which devices enrol over HTTPS');

  token
    .command('create')
    .description('make tokens; each is printed this once')
    .requiredOption('--template <name>', 'by which devices enrol with it')
    .option('--batch <name>', 'a name for all of them: they can be stopped together')
    .option('--serials <file>', 'one token for each line of this file, good for that serial number alone')
    .option('--tokens <n>', 'how many tokens (default: 1)')
    .option('--count <n>', 'devices that may enrol with each', '1')
    .option('--days <n>', 'for how long', '30')
    .option('--rate <n>', 'requests a minute with each', '60')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => await create(command.optsWithGlobals<CreateOptions>()));

  token
    .command('list')
    .description('list tokens, by their ids')
    .option('--template <name>', 'of this template')
    .option('--batch <name>', 'of this batch')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => await list(command.optsWithGlobals<ListOptions>()));

  token
    .command('stop [id]')
    .description('let nobody enrol with it from now on, or with a whole batch')
    .option('--template <name>', 'with --batch')
    .option('--batch <name>', 'all of this batch')
    .action(
      async (id: string | undefined, _: unknown, command: Command) => await stop(id, command.optsWithGlobals<StopOptions>()),
    );
}

async function create(options: CreateOptions): Promise<void> {
  const api = new ApiClient(findServer(options));
  const common = {
    template: options.template,
    ...(options.batch !== undefined && { batch: options.batch }),
    maxCount: wholeNumber('--count', options.count),
    ratePerMinute: wholeNumber('--rate', options.rate),
    expiresAtMs: Date.now() + wholeNumber('--days', options.days) * DAY_MS,
  };
  const which =
    options.serials !== undefined
      ? pieces(linesOf(options.serials)).map((serials) => ({ serials }))
      : pieces(Array.from({ length: wholeNumber('--tokens', options.tokens ?? '1') })).map(({ length }) => ({ tokens: length }));
  for (const each of which) {
    const { items } = await api.post<{ items: readonly NewToken[] }>('/provisioning/tokens', { ...common, ...each });
    for (const item of items)
      print(options.json === true ? JSON.stringify(item) : [item.token, item.serial ?? ''].join(' ').trim());
  }
}

async function list(options: ListOptions): Promise<void> {
  const api = new ApiClient(findServer(options));
  const items: ProvisioningTokenJson[] = [];
  const query = { template: options.template, batch: options.batch, limit: PAGE };
  for await (const item of api.pages<ProvisioningTokenJson>('/provisioning/tokens', query)) items.push(item);
  const nowMs = Date.now();
  if (options.json === true) for (const item of items) print(JSON.stringify(item));
  else if (items.length === 0) print('there is no token; make one with: selsyn provisioning token create --template TEMPLATE');
  else
    print(
      formatTable(
        ['id', 'template', 'batch', 'serial', 'enrolled', 'of', 'state'],
        items.map((item) => [
          item.id,
          item.template,
          item.batch ?? '',
          printable(item.serial ?? ''),
          String(item.enrolled),
          String(item.maxCount),
          stateOf(item, nowMs),
        ]),
      ),
    );
}

async function stop(id: string | undefined, options: StopOptions): Promise<void> {
  const api = new ApiClient(findServer(options));
  const { template, batch } = options;
  if (id !== undefined) {
    await api.delete(`/provisioning/tokens/${encodeURIComponent(id)}`);
    print(`stopped ${id}: who enrolled with it stays`);
  } else if (template !== undefined && batch !== undefined) {
    const { stopped } = await api.post<{ stopped: number }>('/provisioning/tokens/stop', { template, batch });
    print(`stopped ${counted(stopped, 'token')} of ${batch}: who enrolled with them stays`);
  } else throw new CliError('name a token by its id, or a batch with --template and --batch');
}

function stateOf({ stoppedAtMs, expiresAtMs, enrolled, maxCount }: ProvisioningTokenJson, nowMs: number): string {
  if (stoppedAtMs !== undefined) return `stopped ${formatDuration(nowMs - stoppedAtMs)} ago`;
  if (expiresAtMs <= nowMs) return 'expired';
  return enrolled >= maxCount ? 'used' : `${formatDuration(expiresAtMs - nowMs)} left`;
}

function pieces<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / TOKENS_AT_ONCE) }, (_, n) =>
    all.slice(n * TOKENS_AT_ONCE, (n + 1) * TOKENS_AT_ONCE),
  );
}

function linesOf(file: string): string[] {
  return readText(file)
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function wholeNumber(option: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new CliError(`${option} must be a positive whole number`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
