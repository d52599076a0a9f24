import { createRequire } from 'node:module';
import { Command } from 'commander';
import { CliError } from './cli-error.ts';
import { addClientCommands } from './commands/client.ts';
import { addDemoCommand } from './commands/demo.ts';
import { addDeviceCommands } from './commands/device.ts';
import { addQueryCommand } from './commands/query.ts';
import { addTopCommand } from './commands/top.ts';
import { addTraceCommand } from './commands/trace.ts';
import { addUpCommand } from './commands/up.ts';

const { version } = createRequire(import.meta.url)('../package.json') as { version: string };

const program = new Command('selsyn')
  .description('Selsyn: a device cloud that you own.')
  .version(version)
  .option('--data <folder>', 'the data folder (default: SELSYN_DATA, or data)')
  .option('--url <url>', 'the server (default: SELSYN_URL, or the one that runs on the data folder)')
  .option('--key <key>', 'an API key (default: SELSYN_KEY, or the admin.key of the data folder)')
  .configureHelp({ showGlobalOptions: true })
  .showHelpAfterError('(selsyn --help lists the commands)');
addUpCommand(program);
addDemoCommand(program);
addDeviceCommands(program);
addQueryCommand(program);
addTopCommand(program);
addClientCommands(program);
addTraceCommand(program);

try {
  await program.parseAsync();
} catch (error) {
  const foreseen = error instanceof CliError || (error instanceof Error && error.name === 'SelsynError');
  process.stderr.write(`selsyn: ${foreseen ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
}
