import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { printable } from '../printable.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatAge, formatTable } from '../table.ts';

interface Alert {
  readonly deviceId: string;
  readonly group: string;
  readonly kind: string;
  readonly sinceMs: number;
  readonly reason?: string;
  readonly losses: number;
  readonly raisedAtMs: number;
  readonly resolvedAtMs?: number;
}

type Options = AddressOptions & { readonly json?: boolean; readonly all?: boolean; readonly device?: string };

/** `selsyn presence` */
export function addPresenceCommand(program: Command): void {
  program
    .command('presence')
    .description('list the devices that are gone, or come and go')
    .option('--all', 'also alerts that are resolved, of the last 30 days')
    .option('--device <id>', 'of this device alone')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const query = {
        limit: 500,
        ...(options.all !== true && { state: 'open' }),
        ...(options.device !== undefined && { device: options.device }),
      };
      const alerts: Alert[] = [];
      for await (const alert of new ApiClient(findServer(options)).pages<Alert>('/presence/alerts', query)) {
        if (options.json === true) process.stdout.write(`${JSON.stringify(alert)}\n`);
        else alerts.push(alert);
      }
      if (options.json === true) return;
      process.stdout.write(alerts.length === 0 ? 'nobody is missed\n' : `${tableOf(alerts)}\n`);
    });
}

function tableOf(alerts: readonly Alert[]): string {
  const nowMs = Date.now();
  return formatTable(
    ['device', 'group', 'alert', 'gone for', 'why', 'times', 'state'],
    alerts.map(({ deviceId, group, kind, sinceMs, reason, losses, resolvedAtMs }) => [
      deviceId,
      printable(group),
      kind,
      formatAge((resolvedAtMs ?? nowMs) - sinceMs),
      reason ?? '',
      String(losses),
      resolvedAtMs === undefined ? 'open' : `resolved ${formatAge(nowMs - resolvedAtMs)} ago`,
    ]),
  );
}
