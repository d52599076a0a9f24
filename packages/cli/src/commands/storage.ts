import type { StorageJson } from '@selsyn/platform/api/storage-routes.ts';
import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { storageText } from '../storage-lines.ts';

type Options = AddressOptions & { readonly json?: boolean };

/** `selsyn storage` */
export function addStorageCommand(program: Command): void {
  program
    .command('storage')
    .description('show what takes how much of the disk, and where that leads')
    .option('--json', 'print JSON')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const storage = await new ApiClient(findServer(options)).get<StorageJson>('/storage');
      process.stdout.write(`${options.json === true ? JSON.stringify(storage) : storageText(storage)}\n`);
    });
}
