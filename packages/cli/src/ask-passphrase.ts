import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CliError } from './cli-error.ts';

/**
 * A passphrase: the first line of a file, or asked for at the terminal without being shown; twice where it is a new one.
 * @throws CliError when there is no terminal, the file cannot be read, it is empty, or the two are not the same
 */
export async function readPassphrase(options: { readonly file?: string | undefined; readonly twice: boolean }): Promise<string> {
  const { file, twice } = options;
  if (file !== undefined) {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      throw new CliError(`the passphrase cannot be read from ${file}: ${error instanceof Error ? error.message : String(error)}`);
    }
    return notEmpty(text.split(/\r?\n/, 1)[0] ?? '');
  }
  if (!process.stdin.isTTY) throw new CliError('no terminal to ask for the passphrase: name a file with --passphrase-file');
  const first = notEmpty(await ask('Passphrase of the root: '));
  if (twice && (await ask('Once more: ')) !== first) throw new CliError('the two passphrases are not the same');
  return first;
}

async function ask(question: string): Promise<string> {
  process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await lines.question('');
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}

function notEmpty(passphrase: string): string {
  if (passphrase === '') throw new CliError('the passphrase is empty');
  return passphrase;
}
