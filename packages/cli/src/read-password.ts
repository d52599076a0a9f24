import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { CliError } from './cli-error.ts';

export interface PasswordOptions {
  readonly passwordStdin?: boolean;
  readonly generate?: boolean;
}

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const BACKSPACE: ReadonlySet<string> = new Set(['\b', '\u007f']);

/** A new password: made, read from standard input, or asked for twice. Never an argument, which other users of the machine see. */
export async function newPassword(options: PasswordOptions): Promise<{ readonly password: string; readonly made: boolean }> {
  if (options.generate === true) return { password: randomBytes(15).toString('base64url'), made: true };
  if (options.passwordStdin === true) return { password: await passwordFromStdin(), made: false };
  ensureTerminal();
  const password = await askHidden('new password: ');
  if (password !== (await askHidden('once more: '))) throw new CliError('the two are not the same: nothing was changed');
  return { password, made: false };
}

/** A password that is there already. */
export async function currentPassword(options: Pick<PasswordOptions, 'passwordStdin'>, question: string): Promise<string> {
  if (options.passwordStdin === true) return await passwordFromStdin();
  ensureTerminal();
  return await askHidden(question);
}

async function passwordFromStdin(): Promise<string> {
  return (await text(process.stdin)).replace(/\r?\n$/, '');
}

function ensureTerminal(): void {
  if (process.stdin.isTTY) return;
  throw new CliError(
    'there is no terminal to ask for a password at: use --password-stdin, or --generate where a new one is made',
  );
}

async function askHidden(question: string): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(question);
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  stdin.resume();
  let typed: string[] = [];
  try {
    return await new Promise<string>((resolve, reject) => {
      stdin.on('data', (chunk: string) => {
        for (const character of chunk) {
          if (character === '\r' || character === '\n') return resolve(typed.join(''));
          if (character === CTRL_C || character === CTRL_D) return reject(new CliError('nothing was changed'));
          if (BACKSPACE.has(character)) typed = typed.slice(0, -1);
          else typed.push(character);
        }
      });
    });
  } finally {
    stdin.removeAllListeners('data');
    stdin.pause();
    stdin.setRawMode(false);
    stderr.write('\n');
  }
}
