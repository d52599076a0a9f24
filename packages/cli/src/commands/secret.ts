import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { counted, formatAge, formatTable } from '../table.ts';

interface SecretItem {
  readonly name: string;
  readonly updatedAtMs: number;
}

interface Status {
  readonly masterKey: { readonly id: string; readonly place: string };
  readonly dataKeys: readonly { readonly id: string; readonly createdAtMs: number; readonly retiredAtMs?: number }[];
  readonly resealing?: { readonly done: number; readonly total: number; readonly unreadable: number };
}

const POLL_MS = 500;
const MAX_STDIN_BYTES = 16 * 1024;

/** `selsyn secret set|list|show|remove|status|rotate|abandon` */
export function addSecretCommands(program: Command): void {
  const secret = program.command('secret').description('secrets of devices, and the keys that they are sealed with');

  secret
    .command('set <device> <name>')
    .description('set a secret of a device; the value is read from standard input')
    .action(async (device: string, name: string, _: unknown, command: Command) => {
      const value = await standardInput();
      await clientOf(command).put(secretPath(device, name), { value });
      print(`set ${name} of ${device}`);
    });

  secret
    .command('list <device>')
    .description('list the secrets of a device, without their values')
    .option('--json', 'print JSON lines')
    .action(async (device: string, { json }: { json?: boolean }, command: Command) => {
      const { items } = await clientOf(command).get<{ items: readonly SecretItem[] }>(
        `/devices/${encodeURIComponent(device)}/secrets`,
      );
      if (json === true) return items.forEach((item) => print(JSON.stringify(item)));
      const rows = items.map(({ name, updatedAtMs }) => [name, `${formatAge(Date.now() - updatedAtMs)} ago`]);
      print(rows.length === 0 ? `${device} has no secrets` : formatTable(['name', 'set'], rows));
    });

  secret
    .command('show <device> <name>')
    .description('print the value of a secret; that you did is in the audit trail')
    .action(async (device: string, name: string, _: unknown, command: Command) => {
      print((await clientOf(command).get<{ value: string }>(secretPath(device, name))).value);
    });

  secret
    .command('remove <device> <name>')
    .description('remove a secret of a device')
    .action(async (device: string, name: string, _: unknown, command: Command) => {
      await clientOf(command).delete(secretPath(device, name));
      print(`removed ${name} of ${device}`);
    });

  secret
    .command('status')
    .description('show the keys that secrets are sealed with')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }, command: Command) => {
      const status = await clientOf(command).get<Status>('/secrets');
      print(json === true ? JSON.stringify(status) : describe(status));
    });

  secret
    .command('rotate')
    .description('seal with a new data key, and bring all that is sealed under it; or wrap the data keys by a new master key')
    .option('--master', 'the master key')
    .option('--no-wait', 'do not wait until everything is under the new key')
    .action(async ({ master, wait }: { master?: boolean; wait: boolean }, command: Command) => {
      const client = clientOf(command);
      let status = await client.post<Status>('/secrets/rotation', { key: master === true ? 'master' : 'data' });
      while (wait && status.resealing !== undefined) {
        const { done, total } = status.resealing;
        process.stderr.write(`${done.toLocaleString('en-US')} of ${counted(total, 'secret')}\n`);
        await sleep(POLL_MS);
        status = await client.get<Status>('/secrets');
      }
      print(describe(status));
    });

  secret
    .command('abandon')
    .description('give up all that is sealed, when the master key is lost for good; the server must be stopped')
    .requiredOption('--yes', 'I know that no secret of a device can be read again')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddressOptions>();
      // Loaded only here, so that the other commands start fast.
      const { giveUpSecrets } = await import('@selsyn/platform/app/give-up-secrets.ts');
      const count = await giveUpSecrets(options.data ?? process.env['SELSYN_DATA'] ?? 'data');
      print(
        `gave up ${counted(count, 'secret')} of devices; the next start of the server makes a new master key where there is none`,
      );
    });
}

function clientOf(command: Command): ApiClient {
  return new ApiClient(findServer(command.optsWithGlobals<AddressOptions>()));
}

function secretPath(device: string, name: string): string {
  return `/devices/${encodeURIComponent(device)}/secrets/${encodeURIComponent(name)}`;
}

function describe({ masterKey, dataKeys, resealing }: Status): string {
  const rows = dataKeys.map(({ id, createdAtMs, retiredAtMs }) => [
    id,
    `${formatAge(Date.now() - createdAtMs)}`,
    retiredAtMs === undefined ? 'seals' : 'opens',
  ]);
  const under = resealing === undefined ? '' : `\n${resealing.done} of ${counted(resealing.total, 'secret')} under the new key`;
  return `master key  ${masterKey.id} in ${masterKey.place}\n\n${formatTable(['data key', 'age', ''], rows)}${under}`;
}

/** The value as it is, but for one line end after it. @throws CliError when there is none, or too much */
async function standardInput(): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write('value, then Ctrl-D: ');
  let text = '';
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.length > MAX_STDIN_BYTES) throw new CliError(`a secret has at most ${MAX_STDIN_BYTES} bytes`);
  }
  const value = text.replace(/\r?\n$/, '');
  if (value === '') throw new CliError('no value came on standard input: selsyn secret set DEVICE NAME < FILE');
  return value;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
