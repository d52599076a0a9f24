import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { readPassphrase } from '../ask-passphrase.ts';
import { CliError } from '../cli-error.ts';
import { formatTable } from '../table.ts';

interface RootFlags {
  readonly root: string;
  readonly name?: string;
  readonly days: number;
  readonly passphrase?: boolean;
  readonly passphraseFile?: string;
}

interface TokenFlags {
  readonly data?: string;
  readonly tokenModule?: string;
  readonly token?: string;
  readonly tokenKey?: string;
  readonly tokenKeyId?: string;
  readonly pinFile?: string;
}

/** `selsyn pki init|renew-intermediate|show|request|sign|install`: on the files of this machine, whether a server runs or not. */
export function addPkiCommands(program: Command): void {
  const pki = program
    .command('pki')
    .description('the certificate authorities of a data folder: an offline root, an intermediate that issues');

  const init = pki
    .command('init')
    .description('make an offline root, and an intermediate in the data folder that issues from then on');
  tokenFlags(rootFlags(init)).action(async (_: unknown, command: Command) => {
    await setUp(command.optsWithGlobals<RootFlags & TokenFlags>(), false);
  });

  const renew = pki
    .command('renew-intermediate')
    .description('make a new intermediate below the root; the one before it stays trusted');
  tokenFlags(rootFlags(renew)).action(async (_: unknown, command: Command) => {
    await setUp(command.optsWithGlobals<RootFlags & TokenFlags>(), true);
  });

  const request = pki
    .command('request')
    .description('make the key of a new intermediate here, and a request for its certificate, for a root on another machine')
    .requiredOption('--out <file>', 'where to write the request');
  tokenFlags(request).action(async (_: unknown, command: Command) => {
    const options = command.optsWithGlobals<TokenFlags & { out: string }>();
    const { writeIntermediateRequest } = await import('@selsyn/platform/app/pki-tasks.ts');
    writeIntermediateRequest({ ...intermediateOf(options), out: options.out });
    print(
      `request  ${options.out}\n\nOn the machine of the root: selsyn pki sign ${options.out} --root FOLDER --out intermediate.pem`,
    );
  });

  const sign = pki
    .command('sign <request>')
    .description('sign the request of an intermediate by a root; makes the root where the folder has none');
  rootFlags(sign)
    .requiredOption('--out <file>', "where to write the certificate and the root's")
    .action(async (file: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<RootFlags & { out: string }>();
      const { signIntermediateRequest } = await import('@selsyn/platform/app/pki-tasks.ts');
      const root = signIntermediateRequest({ ...(await rootOf(options)), request: file, out: options.out, make: true });
      print(
        `${root.made ? 'root made' : 'root'}    ${root.dir}\ncertificate  ${options.out}\n\nOn the server: selsyn pki install ${options.out}`,
      );
    });

  pki
    .command('install <file>')
    .description('take up the certificate that the root has signed for the last request')
    .action(async (file: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<TokenFlags>();
      const { installSigned } = await import('@selsyn/platform/app/pki-tasks.ts');
      const { data, tokenPin } = intermediateOf(options);
      const { certificateFile, rootFile } = installSigned({ data, file, tokenPin });
      print(`intermediate  ${certificateFile}\ntrust         ${rootFile}`);
    });

  pki
    .command('show')
    .description('show the authorities of the data folder, the one that issues first')
    .option('--json', 'print JSON')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<TokenFlags & { json?: boolean }>();
      const { listAuthorities } = await import('@selsyn/platform/app/pki-tasks.ts');
      const authorities = await listAuthorities(dataOf(options));
      if (options.json === true) return print(JSON.stringify(authorities));
      const rows = authorities.map(({ subject, kind, issuing, canSign, notAfterMs, id }) => [
        subject.replace(/^CN=/, ''),
        kind,
        issuing ? 'issues' : canSign ? 'trusted' : 'trusted, no key',
        new Date(notAfterMs).toISOString().slice(0, 10),
        id,
      ]);
      print(formatTable(['name', 'kind', 'state', 'until', 'id'], rows));
    });
}

function rootFlags(command: Command): Command {
  return command
    .requiredOption('--root <folder>', 'the folder of the root: not in the data folder, best on a medium that is then put away')
    .option('--name <text>', 'the name in front of the names of the authorities (default: Selsyn)')
    .option('--days <n>', 'for how long the intermediate is valid', wholeDays, 1_826)
    .option('--passphrase', 'the key of the root is under a passphrase, which is asked for')
    .option('--passphrase-file <file>', 'the same, from the first line of a file');
}

function tokenFlags(command: Command): Command {
  return command
    .option('--token-module <file>', 'keep the key of the intermediate in a PKCS#11 token: the path of its module')
    .option('--token <label>', 'the label of the token')
    .option('--token-key <label>', 'the label of the key in the token; made there where it is not (default: a new key)')
    .option('--token-key-id <hex>', 'the id of the key in the token')
    .option('--pin-file <file>', 'a file with the PIN of the token (default: the setting pki.tokenPin, SELSYN_PKI_TOKEN_PIN)');
}

async function setUp(options: RootFlags & TokenFlags, renew: boolean): Promise<void> {
  // Loaded only here, so that the other commands start fast.
  const { setUpPki } = await import('@selsyn/platform/app/pki-tasks.ts');
  const { root, certificate, certificateFile, rootFile } = setUpPki({
    ...(await rootOf(options)),
    ...intermediateOf(options),
    renew,
  });
  print(
    [
      `root          ${join(root.dir, 'root.crt')}${root.made ? '   (made)' : ''}`,
      `intermediate  ${certificateFile}   (until ${certificate.validToDate.toISOString().slice(0, 10)})`,
      `trust         ${rootFile}`,
      '',
      `Put ${root.dir} away: its key is needed only for the next intermediate. Give ${rootFile} to devices.`,
    ].join('\n'),
  );
}

async function rootOf(
  options: RootFlags,
): Promise<{ root: string; passphrase: string | undefined; name: string | undefined; days: number }> {
  const { root, name, days, passphraseFile } = options;
  const isAsked = options.passphrase === true || passphraseFile !== undefined;
  const twice = !existsSync(join(root, 'root.key'));
  const passphrase = isAsked ? await readPassphrase({ file: passphraseFile, twice }) : undefined;
  return { root, passphrase, name, days };
}

function intermediateOf(options: TokenFlags): {
  data: string;
  token:
    | { module: string; token: string; label?: string | undefined; id?: string | undefined; pinFile?: string | undefined }
    | undefined;
  tokenPin: string | undefined;
} {
  const { tokenModule: module, token } = options;
  if ((module === undefined) !== (token === undefined)) throw new CliError('--token-module and --token belong together');
  return {
    data: dataOf(options),
    token:
      module === undefined || token === undefined
        ? undefined
        : { module, token, label: options.tokenKey, id: options.tokenKeyId, pinFile: options.pinFile },
    tokenPin: process.env['SELSYN_PKI_TOKEN_PIN'],
  };
}

function dataOf({ data }: { readonly data?: string }): string {
  return data ?? process.env['SELSYN_DATA'] ?? 'data';
}

function wholeDays(text: string): number {
  const days = Number(text);
  if (!Number.isInteger(days) || days < 1 || days > 36_525) throw new InvalidArgumentError('a whole number of days, 1 to 36525.');
  return days;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
