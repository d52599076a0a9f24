import type { Command } from 'commander';

interface UpOptions {
  readonly data?: string;
  readonly config?: string;
  readonly set?: readonly string[];
}

/** `selsyn up`: runs the platform until Ctrl-C. */
export function addUpCommand(program: Command): void {
  program
    .command('up')
    .description('run the whole platform in this process')
    .option('--config <file>', 'JSON file with settings')
    .option(
      '--set <key=value>',
      'one setting, as mqtt.port=1884; may be repeated',
      (pair: string, before: readonly string[] | undefined) => [...(before ?? []), pair],
    )
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<UpOptions>();
      // Loaded only here, so that the other commands start fast.
      const { runPlatform } = await import('@selsyn/platform/app/run-platform.ts');
      const set = options.set ?? [];
      await runPlatform({
        ...(options.config === undefined ? {} : { file: options.config }),
        environment: process.env,
        assignments: options.data === undefined ? set : [`data=${options.data}`, ...set],
      });
    });
}
