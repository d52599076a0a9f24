import type { ClaimCertificateJson, ClaimJson, TemplateJson } from '@selsyn/platform/api/provisioning-schemas.ts';
import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { ensureFree, writeCertificate } from '../certificate-files.ts';
import { CliError } from '../cli-error.ts';
import { readJson, readText } from '../input-file.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { counted, formatDuration, formatTable } from '../table.ts';
import { addAttemptsCommand } from './provisioning-attempts.ts';
import { addManifestCommands } from './provisioning-manifest.ts';
import { addQuarantineCommands } from './provisioning-quarantine.ts';
import { addTokenCommands } from './provisioning-token.ts';

interface JsonOptions extends AddressOptions {
  readonly json?: boolean;
}

interface PutOptions extends AddressOptions {
  readonly aws?: boolean;
  readonly manifest?: boolean;
  readonly disabled?: boolean;
}

interface ClaimOptions extends AddressOptions {
  readonly template: string;
  readonly count: string;
  readonly days: string;
  readonly rate: string;
}

interface CertificateOptions extends AddressOptions {
  readonly out: string;
  readonly csr?: string;
}

const DAY_MS = 86_400_000;

/** `selsyn provisioning template|claim|token|manifest|quarantine|attempts` */
export function addProvisioningCommands(program: Command): void {
  const provisioning = program.command('provisioning').description('how devices enrol by themselves');
  addTemplateCommands(provisioning);
  addClaimCommands(provisioning);
  addTokenCommands(provisioning);
  addManifestCommands(provisioning);
  addQuarantineCommands(provisioning);
  addAttemptsCommand(provisioning);
}

function addTemplateCommands(provisioning: Command): void {
  const template = provisioning.command('template').description('what a device becomes, from what it says of itself');

  template
    .command('list')
    .description('list templates')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<JsonOptions>();
      const { items } = await new ApiClient(findServer(options)).get<{ items: readonly TemplateJson[] }>(
        '/provisioning/templates',
      );
      if (options.json === true) for (const item of items) print(JSON.stringify(item));
      else if (items.length === 0) print('there is no template; make one with: selsyn provisioning template put NAME FILE');
      else
        print(
          formatTable(
            ['name', 'state', 'device id', 'group', 'manifest', 'description'],
            items.map(({ name, enabled, device, group, manifestRequired, description }) => [
              name,
              enabled ? 'enabled' : 'disabled',
              device.id,
              group,
              manifestRequired ? 'required' : 'not asked for',
              description,
            ]),
          ),
        );
    });

  template
    .command('show <name>')
    .description('print a template as `put` takes it')
    .action(async (name: string, _: unknown, command: Command) => {
      const api = new ApiClient(findServer(command.optsWithGlobals<AddressOptions>()));
      const {
        name: _name,
        group: _group,
        createdAtMs: _created,
        updatedAtMs: _updated,
        ...body
      } = await api.get<TemplateJson>(pathOf(name));
      print(JSON.stringify(body, undefined, 2));
    });

  template
    .command('put <name> <file>')
    .description('make a template from a JSON file, or change it')
    .option('--aws', 'the file is the body of an AWS provisioning template')
    .option('--no-manifest', 'of an AWS template: any serial number may enrol')
    .option('--disabled', 'nobody enrols by it yet')
    .action(async (name: string, file: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<PutOptions>();
      const read = readObject(file);
      const body = options.aws === true ? { awsTemplate: read, manifestRequired: options.manifest !== false } : read;
      const state = options.disabled === true ? { enabled: false } : {};
      const made = await new ApiClient(findServer(options)).put<TemplateJson>(pathOf(name), { ...body, ...state });
      print(
        `template ${made.name}: devices ${made.device.id} in ${made.device.group}${made.manifestRequired ? '' : ', without a manifest'}`,
      );
    });

  template
    .command('remove <name>')
    .description('remove a template and its manifest')
    .action(async (name: string, _: unknown, command: Command) => {
      await new ApiClient(findServer(command.optsWithGlobals<AddressOptions>())).delete(pathOf(name));
      print(`removed ${name}`);
    });
}

function addClaimCommands(provisioning: Command): void {
  const claim = provisioning.command('claim').description('the certificates that a factory puts into its units');

  claim
    .command('list')
    .description('list claim batches')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<JsonOptions>();
      const { items } = await new ApiClient(findServer(options)).get<{ items: readonly ClaimJson[] }>('/provisioning/claims');
      const nowMs = Date.now();
      if (options.json === true) for (const item of items) print(JSON.stringify(item));
      else if (items.length === 0)
        print('there is no claim batch; make one with: selsyn provisioning claim create NAME --template TEMPLATE --count N');
      else
        print(
          formatTable(
            ['name', 'template', 'enrolled', 'of', 'a minute', 'state'],
            items.map((item) => [
              item.name,
              item.template,
              String(item.enrolled),
              String(item.maxCount),
              String(item.ratePerMinute),
              stateOf(item, nowMs),
            ]),
          ),
        );
    });

  claim
    .command('create <name>')
    .description('make a claim batch')
    .requiredOption('--template <name>', 'by which its units enrol')
    .requiredOption('--count <n>', 'how many may enrol')
    .option('--days <n>', 'for how long', '365')
    .option('--rate <n>', 'requests a minute, of all units together', '600')
    .action(async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<ClaimOptions>();
      const expiresAtMs = Date.now() + wholeNumber('--days', options.days) * DAY_MS;
      const batch = await new ApiClient(findServer(options)).post<ClaimJson>('/provisioning/claims', {
        name,
        template: options.template,
        maxCount: wholeNumber('--count', options.count),
        ratePerMinute: wholeNumber('--rate', options.rate),
        expiresAtMs,
      });
      print(
        `claim batch ${batch.name}: ${counted(batch.maxCount, 'device')}, until ${new Date(expiresAtMs).toISOString().slice(0, 10)}`,
      );
      print(`its certificate, for the factory: selsyn provisioning claim certificate ${name} --out FOLDER`);
    });

  claim
    .command('certificate <name>')
    .description('issue a claim certificate; writes NAME.crt, NAME.key and ca.crt')
    .requiredOption('--out <folder>', 'where to write them; made where it is not there')
    .option('--csr <file>', 'a certificate request, PEM: its key is certified, and no key is made')
    .action(async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<CertificateOptions>();
      const { out, csr } = options;
      ensureFree(out, name, csr === undefined);
      const body = csr === undefined ? {} : { csrPem: readText(csr) };
      const issued = await new ApiClient(findServer(options)).post<ClaimCertificateJson>(
        `/provisioning/claims/${encodeURIComponent(name)}/certificates`,
        body,
      );
      const { privateKeyPem, ...rest } = issued;
      const files = writeCertificate(out, name, privateKeyPem === undefined ? rest : { ...rest, privateKeyPem });
      print(`wrote ${[files.certificate, files.key, files.authority].filter((file) => file !== undefined).join(', ')}`);
      print('these go into each unit, with the address of the MQTT over TLS port of this server');
    });

  claim
    .command('stop <name>')
    .description('let nobody enrol with it from now on; it cannot be started again')
    .action(async (name: string, _: unknown, command: Command) => {
      const api = new ApiClient(findServer(command.optsWithGlobals<AddressOptions>()));
      const batch = await api.post<ClaimJson>(`/provisioning/claims/${encodeURIComponent(name)}/stop`);
      print(`stopped ${batch.name}: ${counted(batch.enrolled, 'device')} enrolled with it, and stay`);
    });
}

function stateOf({ stoppedAtMs, expiresAtMs, enrolled, maxCount }: ClaimJson, nowMs: number): string {
  if (stoppedAtMs !== undefined) return `stopped ${formatDuration(nowMs - stoppedAtMs)} ago`;
  if (expiresAtMs <= nowMs) return 'expired';
  return enrolled >= maxCount ? 'exhausted' : `${formatDuration(expiresAtMs - nowMs)} left`;
}

function pathOf(name: string): string {
  return `/provisioning/templates/${encodeURIComponent(name)}`;
}

function wholeNumber(option: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new CliError(`${option} must be a positive whole number`);
}

function readObject(file: string): Record<string, unknown> {
  const value = readJson(file);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new CliError(`${file} holds no JSON object`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
