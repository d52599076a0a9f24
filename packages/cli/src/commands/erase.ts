import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { printable } from '../printable.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatAge, formatTable } from '../table.ts';

interface Erasure {
  readonly id: string;
  readonly device: string;
  readonly reason: string;
  readonly requestedBy: string;
  readonly state: string;
  readonly begunAtMs: number;
  readonly doneAtMs?: number;
  readonly objectsRewritten: number;
  readonly archivedPointsErased: number;
  readonly lastError?: string;
}

type Options = AddressOptions & {
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly wait?: boolean;
  readonly device?: string;
};

const POLL_MS = 500;

/** `selsyn erase`, `selsyn erasures` */
export function addEraseCommands(program: Command): void {
  program
    .command('erase <device>')
    .description('erase all telemetry of a device, everywhere: store, rollups, archive; it cannot be taken back')
    .option('--yes', 'yes, erase it')
    .option('--wait', 'until the last byte is gone')
    .option('--json', 'print JSON')
    .action(async (device: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      if (options.yes !== true) throw new CliError(`all telemetry of ${printable(device)} would be erased for good: say --yes`);
      const api = new ApiClient(findServer(options));
      let erasure = await api.post<Erasure>('/erasures', { device });
      while (options.wait === true && erasure.state !== 'done') {
        await pause(POLL_MS);
        erasure = await api.get<Erasure>(`/erasures/${erasure.id}`);
      }
      process.stdout.write(`${options.json === true ? JSON.stringify(erasure) : textOf(erasure)}\n`);
    });

  program
    .command('erasures')
    .description('list the devices whose telemetry was erased, or is being erased')
    .option('--device <id>', 'of this device alone')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const query = { limit: 500, ...(options.device !== undefined && { device: options.device }) };
      const rows: string[][] = [];
      for await (const erasure of new ApiClient(findServer(options)).pages<Erasure>('/erasures', query)) {
        if (options.json === true) process.stdout.write(`${JSON.stringify(erasure)}\n`);
        else rows.push(rowOf(erasure));
      }
      if (options.json === true) return;
      const head = ['erasure', 'device', 'state', 'begun', 'by', 'why', 'points in the archive', 'last fault'];
      process.stdout.write(rows.length === 0 ? 'nothing was erased\n' : `${formatTable(head, rows)}\n`);
    });
}

function textOf({ id, device, state, objectsRewritten, archivedPointsErased }: Erasure): string {
  if (state !== 'done') return `nobody can read telemetry of ${device} any more; its bytes are being removed: erasure ${id}`;
  return `nothing is left of the telemetry of ${device}; ${archivedPointsErased} points were taken out of ${objectsRewritten} archived objects: erasure ${id}`;
}

function rowOf(erasure: Erasure): string[] {
  const { id, device, state, begunAtMs, requestedBy, reason, archivedPointsErased, lastError } = erasure;
  const age = `${formatAge(Date.now() - begunAtMs)} ago`;
  return [id, device, state, age, printable(requestedBy), reason, String(archivedPointsErased), printable(lastError ?? '')];
}
