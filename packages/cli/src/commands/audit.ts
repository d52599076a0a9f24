import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { printable } from '../printable.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatTable } from '../table.ts';

interface Entry {
  readonly atMs: number;
  readonly actor: { readonly kind: string; readonly id: string; readonly name: string; readonly remoteAddress?: string };
  readonly action: string;
  readonly object: { readonly kind: string; readonly id: string };
  readonly group: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

interface AuditOptions extends AddressOptions {
  readonly kind?: string;
  readonly id?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit: string;
  readonly json?: boolean;
}

const PAGE = 1000;
const MAX_DETAIL = 100;

/** `selsyn audit`: who changed what, when and from where. */
export function addAuditCommand(program: Command): void {
  program
    .command('audit')
    .description('who changed what, when and from where; the newest last')
    .option('--kind <kind>', 'only changes of devices, users, certificates, …: device, user, certificate')
    .option('--id <id>', 'only changes of the object with this id')
    .option('--actor <id>', 'only changes by this user, key or device')
    .option('--action <action>', 'only this kind of change, as device.update')
    .option('--since <time>', 'from then on: 2026-11-23T10:00Z, or now-1d')
    .option('--until <time>', 'before then')
    .option('--limit <count>', 'entries at most', '50')
    .option('--json', 'print JSON lines, with what was before and after')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<AuditOptions>();
      const entries = await newest(options);
      if (options.json === true) for (const entry of entries) print(JSON.stringify(entry));
      else if (entries.length === 0) print('nothing was changed that fits');
      else print(formatTable(['time', 'who', 'from', 'what', 'object', 'details'], entries.map(rowOf)));
    });
}

async function newest(options: AuditOptions): Promise<readonly Entry[]> {
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1) throw new CliError('--limit must be a whole number, 1 or more');
  const { kind, id, actor, action, since, until } = options;
  const query = { kind, id, actor, action, from: since, to: until, limit: Math.min(PAGE, limit) };
  const entries: Entry[] = [];
  for await (const entry of new ApiClient(findServer(options)).pages<Entry>('/audit', query)) {
    entries.push(entry);
    if (entries.length === limit) break;
  }
  return entries.toReversed();
}

function rowOf({ atMs, actor, action, object, before, after }: Entry): string[] {
  return [
    new Date(atMs).toISOString(),
    printable(actor.kind === 'user' ? actor.name : `${actor.name} (${actor.kind})`),
    actor.remoteAddress ?? '-',
    action,
    printable(`${object.kind} ${object.id}`),
    printable(detailsOf(before, after)),
  ];
}

/** The fields that are different afterwards. */
function detailsOf(before: unknown, after: unknown): string {
  const [was, is] = [fieldsOf(before), fieldsOf(after)];
  const names = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  const changes = names
    .filter((name) => JSON.stringify(was[name]) !== JSON.stringify(is[name]))
    .map((name) => `${name}=${JSON.stringify(is[name]) ?? '(removed)'}`);
  const text = changes.join(' ');
  return text.length > MAX_DETAIL ? `${text.slice(0, MAX_DETAIL)}…` : text;
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
