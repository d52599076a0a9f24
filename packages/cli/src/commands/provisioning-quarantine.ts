import type { QuarantineJson } from '@selsyn/platform/api/provisioning-schemas.ts';
import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { printable } from '../printable.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatAge, formatTable } from '../table.ts';

interface ListOptions extends AddressOptions {
  readonly all?: boolean;
  readonly template?: string;
  readonly json?: boolean;
}

const PAGE = 500;

/** `selsyn provisioning quarantine list|release|refuse` */
export function addQuarantineCommands(provisioning: Command): void {
  const quarantine = provisioning
    .command('quarantine')
    .description('serial numbers that enrolled again, and wait for a decision');

  quarantine
    .command('list')
    .description('list them')
    .option('--all', 'also those that were decided about')
    .option('--template <name>', 'of this template')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => await list(command.optsWithGlobals<ListOptions>()));

  quarantine
    .command('release <template> <serial>')
    .description('let it enrol once more; what its device had before is revoked then')
    .action(async (template: string, serial: string, _: unknown, command: Command) => {
      const { deviceId } = await decide('release', template, serial, command);
      print(`${printable(serial)} may enrol once more; when it does, what ${deviceId} had before is revoked`);
    });

  quarantine
    .command('refuse <template> <serial>')
    .description('keep it out; its device stays what it is')
    .action(async (template: string, serial: string, _: unknown, command: Command) => {
      const { deviceId } = await decide('refuse', template, serial, command);
      print(`${printable(serial)} stays out; ${deviceId} stays what it is`);
    });
}

async function decide(
  decision: 'release' | 'refuse',
  template: string,
  serial: string,
  command: Command,
): Promise<QuarantineJson> {
  const api = new ApiClient(findServer(command.optsWithGlobals<AddressOptions>()));
  const path = `/provisioning/templates/${encodeURIComponent(template)}/quarantine/${encodeURIComponent(serial)}/${decision}`;
  return await api.post<QuarantineJson>(path);
}

async function list(options: ListOptions): Promise<void> {
  const api = new ApiClient(findServer(options));
  const items: QuarantineJson[] = [];
  const query = { state: options.all === true ? 'all' : undefined, template: options.template, limit: PAGE };
  for await (const item of api.pages<QuarantineJson>('/provisioning/quarantine', query)) items.push(item);
  const nowMs = Date.now();
  if (options.json === true) for (const item of items) print(JSON.stringify(item));
  else if (items.length === 0) print('nothing is in quarantine');
  else
    print(
      formatTable(
        ['template', 'serial', 'device', 'state', 'times', 'last', 'from', 'why'],
        items.map((item) => [
          item.template,
          printable(item.serial),
          item.deviceId,
          item.resolvedBy === undefined ? item.state : `${item.state} by ${printable(item.resolvedBy)}`,
          String(item.attempts),
          `${formatAge(nowMs - item.lastAtMs)} ago`,
          item.remoteAddress ?? '',
          item.reason,
        ]),
      ),
    );
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
