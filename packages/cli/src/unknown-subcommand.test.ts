import { Command } from 'commander';
import { expect, test } from 'vitest';
import { aboutTyped } from './unknown-subcommand.ts';

async function errorOf(...typed: string[]): Promise<string> {
  let said = '';
  const program = new Command('selsyn').exitOverride().configureOutput({
    writeErr: () => undefined,
    outputError: (text) => (said += aboutTyped(text, typed)),
  });
  const archive = program.command('archive');
  archive.command('status', { isDefault: true }).action(() => undefined);
  archive.command('run').action(() => undefined);
  program.command('storage').action(() => undefined);
  await program.parseAsync(typed, { from: 'user' }).catch(() => undefined);
  return said;
}

test('a mistyped command beside a default one is named', async () => {
  expect(await errorOf('archive', 'rnu')).toBe("error: unknown command 'rnu'\n");
  expect(await errorOf('archive', 'rnu', 'now')).toBe("error: unknown command 'rnu'\n");
});

test('what is too much for a command that was typed is told as commander does', async () => {
  expect(await errorOf('archive', 'status', 'x')).toContain("too many arguments for 'status'");
  expect(await errorOf('storage', 'x')).toContain("too many arguments for 'storage'");
});

test('other errors stay as they are', async () => {
  expect(await errorOf('archive', '--josn')).toContain("unknown option '--josn'");
});
