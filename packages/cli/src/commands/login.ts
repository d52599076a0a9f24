import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { currentPassword } from '../read-password.ts';
import { findServer, serverUrl, type AddressOptions } from '../server-address.ts';
import { storedSession, storeSession } from '../stored-session.ts';
import { formatDuration } from '../table.ts';

interface SignedIn {
  readonly token: string;
  readonly expiresAtMs: number;
}

interface Me {
  readonly kind: string;
  readonly name: string;
  readonly grants: readonly { readonly group: string; readonly role?: string; readonly permissions: readonly string[] }[];
}

/** `selsyn login`, `selsyn logout`, `selsyn whoami` */
export function addLoginCommands(program: Command): void {
  program
    .command('login [name]')
    .description('sign in as a user; other commands then act as that user, until the session ends')
    .option('--password-stdin', 'read the password from standard input')
    .action(async (given: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddressOptions & { passwordStdin?: boolean }>();
      const url = serverUrl(options);
      const name = given ?? userInfo().username;
      const password = await currentPassword(options, `password of ${name} at ${url}: `);
      const client = new ApiClient({ url, key: undefined, keyFrom: 'no key' });
      const { token, expiresAtMs } = await client.post<SignedIn>('/session', { name, password, token: true });
      storeSession(url, { name, token, expiresAtMs }, process.env);
      print(`signed in as ${name} for at most ${formatDuration(expiresAtMs - Date.now())}`);
    });

  program
    .command('logout')
    .description('end the session that "selsyn login" began')
    .action(async (_: unknown, command: Command) => {
      const url = serverUrl(command.optsWithGlobals<AddressOptions>());
      const session = storedSession(url, process.env);
      if (session === undefined) throw new CliError(`nobody is signed in at ${url} here`);
      storeSession(url, undefined, process.env);
      await new ApiClient({ url, key: session.token, keyFrom: 'selsyn login' }).delete('/session');
      print(`${session.name} is signed out`);
    });

  program
    .command('whoami')
    .description('who the commands act as, and what that may do')
    .option('--json', 'print JSON')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddressOptions & { json?: boolean }>();
      const server = findServer(options);
      const me = await new ApiClient(server).get<Me>('/me');
      if (options.json === true) return print(JSON.stringify(me));
      print(`${me.name} (${me.kind}), by ${server.keyFrom}`);
      for (const { role, group, permissions } of me.grants) print(`${role ?? permissions.join(' ')} at ${group}`);
    });
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
