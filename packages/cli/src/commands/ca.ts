import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { printable } from '../printable.ts';
import { readText } from '../input-file.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { counted, formatTable } from '../table.ts';

interface AuthorityItem {
  readonly id: string;
  readonly kind: 'own' | 'registered';
  readonly status: string;
  readonly subject: string;
  readonly notAfterMs: number;
  readonly template?: string;
}

interface RegisterOptions extends AddressOptions {
  readonly proof?: string;
  readonly template?: string;
  readonly json?: boolean;
}

interface UpdateOptions extends AddressOptions {
  readonly template?: string | false;
  readonly activate?: boolean;
  readonly deactivate?: boolean;
}

/** `selsyn ca list|register|update|revoke` */
export function addCaCommands(program: Command): void {
  const ca = program.command('ca').description('the certificate authorities whose device certificates are taken');

  ca.command('list')
    .description('list them: those of the server, and those that were registered')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddressOptions & { json?: boolean }>();
      const { items } = await new ApiClient(findServer(options)).get<{ items: readonly AuthorityItem[] }>('/authorities');
      if (options.json === true) return items.forEach((item) => print(JSON.stringify(item)));
      const rows = items.map(({ id, kind, status, subject, notAfterMs, template }) => [
        id.slice(0, 16),
        kind,
        status,
        new Date(notAfterMs).toISOString().slice(0, 10),
        template ?? '',
        printable(subject),
      ]);
      print(formatTable(['id', 'kind', 'status', 'until', 'template', 'subject'], rows));
    });

  ca.command('register <certificate>')
    .description('register an authority of yours. Without --proof: gives a code, and says how to prove that you hold its key')
    .option('--proof <file>', 'a certificate that the authority has signed, with the code as its common name')
    .option('--template <name>', 'by which provisioning template its devices are registered when they first connect')
    .option('--json', 'print JSON')
    .action(
      async (file: string, _: unknown, command: Command) => await register(file, command.optsWithGlobals<RegisterOptions>()),
    );

  ca.command('update <id>')
    .description('change a registered authority')
    .option('--template <name>', 'the provisioning template of its devices')
    .option('--no-template', 'its devices do not register themselves')
    .option('--deactivate', 'no new devices by it; those that are registered go on')
    .option('--activate', 'the opposite')
    .action(async (id: string, _: unknown, command: Command) => await update(id, command.optsWithGlobals<UpdateOptions>()));

  ca.command('revoke <id>')
    .description('trust a registered authority no more. It cannot be undone')
    .option('--certificates', 'revoke all certificates that it has signed too')
    .option('--json', 'print JSON')
    .action(async (id: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddressOptions & { certificates?: boolean; json?: boolean }>();
      const api = new ApiClient(findServer(options));
      const { id: whole, subject } = await find(api, id);
      const body = { certificates: options.certificates === true };
      const answer = await api.post<{ certificates: number }>(`/authorities/${whole}/revoke`, body);
      if (options.json === true) return print(JSON.stringify({ id: whole, ...answer }));
      print(`revoked ${printable(subject)}${body.certificates ? ` and ${counted(answer.certificates, 'certificate')}` : ''}`);
    });
}

async function register(file: string, options: RegisterOptions): Promise<void> {
  const certificatePem = readText(file);
  const api = new ApiClient(findServer(options));
  if (options.proof !== undefined) {
    const body = {
      certificatePem,
      proofPem: readText(options.proof),
      ...(options.template !== undefined && { template: options.template }),
    };
    const registered = await api.post<AuthorityItem>('/authorities', body);
    return print(
      options.json === true
        ? JSON.stringify(registered)
        : `registered ${printable(registered.subject)} (${registered.id.slice(0, 16)})`,
    );
  }
  const { code, expiresAtMs } = await api.post<{ code: string; expiresAtMs: number }>('/authorities/registrations');
  if (options.json === true) return print(JSON.stringify({ code, expiresAtMs }));
  const template = options.template === undefined ? '' : ` --template ${options.template}`;
  print(
    [
      `code     ${code}   (good until ${new Date(expiresAtMs).toISOString().slice(0, 10)})`,
      '',
      'Have the authority sign a certificate with this common name, where its key is:',
      '',
      `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout proof.key -subj /CN=${code} -out proof.csr`,
      `openssl x509 -req -in proof.csr -CA ${file} -CAkey YOUR-CA.key -CAcreateserial -days 1 -out proof.crt`,
      '',
      `npx selsyn ca register ${file} --proof proof.crt${template}`,
    ].join('\n'),
  );
}

async function update(id: string, options: UpdateOptions): Promise<void> {
  const { template, activate = false, deactivate = false } = options;
  if (activate && deactivate) throw new CliError('give --activate or --deactivate, not both');
  const status = activate ? 'active' : deactivate ? 'inactive' : undefined;
  const body = {
    ...(status !== undefined && { status }),
    ...(typeof template === 'string' && { template }),
    ...(template === false && { template: null }),
  };
  if (Object.keys(body).length === 0)
    throw new CliError('nothing to change: give --template, --no-template, --activate or --deactivate');
  const api = new ApiClient(findServer(options));
  const updated = await api.patch<AuthorityItem>(`/authorities/${(await find(api, id)).id}`, body);
  const said = updated.template === undefined ? 'its devices do not register themselves' : `template ${updated.template}`;
  print(`${printable(updated.subject)}: ${updated.status}, ${said}`);
}

/** The one whose id is this or begins so. */
async function find(api: ApiClient, id: string): Promise<AuthorityItem> {
  const { items } = await api.get<{ items: readonly AuthorityItem[] }>('/authorities');
  const [only, another] = items.filter((item) => item.id.startsWith(id.toLowerCase()));
  if (only === undefined) throw new CliError(`there is no authority ${id} (authority.not-found); see: npx selsyn ca list`);
  if (another !== undefined) throw new CliError(`${id} is the beginning of more than one authority: give more digits`);
  return only;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
