import type { ForwarderJson, RefusedRecordJson } from '@selsyn/platform/api/forwarder-schemas.ts';
import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { forwarderLines, forwarderRow } from '../forwarder-lines.ts';
import { readJson } from '../input-file.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { printable } from '../printable.ts';
import { formatTable } from '../table.ts';

type Options = AddressOptions & { readonly json?: boolean };

/** `selsyn forwarder list|show|add|update|pause|resume|test|reset|refused|remove` */
export function addForwarderCommands(program: Command): void {
  const forwarder = program
    .command('forwarder')
    .description('copies of live telemetry for webhooks, Kafka, MQTT brokers, InfluxDB');
  addReading(forwarder);
  addChanging(forwarder);

  const refused = forwarder.command('refused').description('records that a target refused');
  refused
    .command('list <id>')
    .description('list them, the oldest first')
    .option('--json', 'print JSON lines')
    .action(async (id: string, _: unknown, command: Command) => {
      const { client, json } = called(command);
      const { items } = await client.get<{ items: readonly RefusedRecordJson[] }>(`${pathOf(id)}/refused`, { limit: 500 });
      if (json) return items.forEach((item) => print(JSON.stringify(item)));
      const rows = items.map(({ device, topic, arrivalMs, reason, payload }) => [
        new Date(arrivalMs).toISOString(),
        device,
        printable(topic),
        printable(reason).slice(0, 80),
        printable(payload).slice(0, 60),
      ]);
      print(rows.length === 0 ? 'nothing was refused' : formatTable(['arrived', 'device', 'topic', 'reason', 'payload'], rows));
    });
  refused
    .command('resend <id>')
    .description('send them again; what is refused again stays')
    .action(async (id: string, _: unknown, command: Command) => {
      const { sent, left } = await called(command).client.post<{ sent: number; left: number }>(`${pathOf(id)}/refused/resend`);
      print(`sent ${sent}, ${left} left`);
    });
  refused
    .command('discard <id>')
    .description('give them up')
    .action(async (id: string, _: unknown, command: Command) => {
      await called(command).client.delete(`${pathOf(id)}/refused`);
      print('discarded');
    });
}

function addReading(forwarder: Command): void {
  forwarder
    .command('list')
    .description('list forwarders and how they get on')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const { client, json } = called(command);
      const { items } = await client.get<{ items: readonly ForwarderJson[] }>('/forwarders');
      if (json) return items.forEach((item) => print(JSON.stringify(item)));
      const head = ['id', 'target', 'state', 'lag', 'behind', 'sent', 'refused', 'skipped', 'last error'];
      print(items.length === 0 ? 'no forwarders' : formatTable(head, items.map(forwarderRow)));
    });

  forwarder
    .command('show <id>')
    .description('show a forwarder and how it gets on')
    .option('--json', 'print JSON')
    .action(async (id: string, _: unknown, command: Command) => {
      const { client, json } = called(command);
      const item = await client.get<ForwarderJson>(pathOf(id));
      print(json ? JSON.stringify(item) : forwarderLines(item, Date.now()));
    });
}

function addChanging(forwarder: Command): void {
  forwarder
    .command('add <file>')
    .description('add a forwarder: its JSON as in docs/guides/forwarding.md; - reads standard input')
    .action(async (file: string, _: unknown, command: Command) => {
      const { id } = await called(command).client.post<ForwarderJson>('/forwarders', readJson(file));
      print(`added ${id}`);
    });

  forwarder
    .command('update <id> <file>')
    .description('change parts of a forwarder: JSON; - reads standard input')
    .action(async (id: string, file: string, _: unknown, command: Command) => {
      await called(command).client.patch(pathOf(id), readJson(file));
      print(`changed ${id}`);
    });

  for (const [name, paused, done] of [
    ['pause', true, 'paused'],
    ['resume', false, 'resumed'],
  ] as const) {
    forwarder
      .command(`${name} <id>`)
      .description(paused ? 'send nothing for now; the log keeps it, within bounds' : 'go on where it was')
      .action(async (id: string, _: unknown, command: Command) => {
        await called(command).client.patch(pathOf(id), { paused });
        print(`${done} ${id}`);
      });
  }

  forwarder
    .command('test <id>')
    .description('send one record of a device named selsyn-test, now')
    .action(async (id: string, _: unknown, command: Command) => {
      const outcome = await called(command).client.post<{ ok: boolean; durationMs: number; message?: string }>(
        `${pathOf(id)}/test`,
      );
      if (!outcome.ok) throw new CliError(`the target did not take it: ${outcome.message ?? ''}`);
      print(`taken after ${outcome.durationMs} ms`);
    });

  forwarder
    .command('reset <id>')
    .description('begin again with all that the log has, or leave all of it out')
    .requiredOption('--to <place>', '`beginning` or `now`')
    .action(async (id: string, _: unknown, command: Command) => {
      const { to } = command.optsWithGlobals<{ readonly to: string }>();
      await called(command).client.post(`${pathOf(id)}/reset`, { to });
      print(`reset ${id}`);
    });

  forwarder
    .command('remove <id>')
    .description('stop forwarding, and forget where it was')
    .action(async (id: string, _: unknown, command: Command) => {
      await called(command).client.delete(pathOf(id));
      print(`removed ${id}`);
    });
}

function called(command: Command): { readonly client: ApiClient; readonly json: boolean } {
  const options = command.optsWithGlobals<Options>();
  return { client: new ApiClient(findServer(options)), json: options.json === true };
}

function pathOf(id: string): string {
  return `/forwarders/${encodeURIComponent(id)}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
