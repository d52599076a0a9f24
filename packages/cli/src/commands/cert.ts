import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { findCertificate, type CertificateItem, issueCertificate } from '../certificate-calls.ts';
import { ensureFree, writeCertificate } from '../certificate-files.ts';
import { CliError } from '../cli-error.ts';
import { printable } from '../printable.ts';
import { readText } from '../input-file.ts';
import { findServer, mosquittoAddress, type AddressOptions } from '../server-address.ts';
import { formatAge, formatTable } from '../table.ts';

interface IssueOptions extends AddressOptions {
  readonly out: string;
  readonly csr?: string;
  readonly days?: string;
  readonly create?: boolean;
  readonly json?: boolean;
}

interface ListOptions extends AddressOptions {
  readonly device?: string;
  readonly status?: string;
  readonly serial?: string;
  readonly within?: string;
  readonly limit: string;
  readonly json?: boolean;
}

const PAGE = 500;

/** `selsyn cert issue|list|show|revoke|expiring` */
export function addCertCommands(program: Command): void {
  const cert = program.command('cert').description('issue, list, show and revoke the certificates of devices');

  cert
    .command('issue <device>')
    .description('issue a certificate for a device; writes DEVICE.crt, DEVICE.key and ca.crt')
    .requiredOption('--out <folder>', 'where to write them; made where it is not there')
    .option('--csr <file>', 'a certificate request, PEM: its key is certified, and no key is made')
    .option('--days <n>', 'how long it is good (default: the setting pki.certificateDays)')
    .option('--create', 'add the device where it is not there')
    .option('--json', 'print JSON')
    .action(async (device: string, _: unknown, command: Command) => await issue(device, command.optsWithGlobals<IssueOptions>()));

  listFlags(cert.command('list').description('list certificates, the newest first'))
    .option('--device <id>', 'of this device')
    .option('--status <status>', 'pending, active or revoked')
    .option('--serial <hex>', 'with this serial number')
    .action(async (_: unknown, command: Command) => await list(command.optsWithGlobals<ListOptions>()));

  listFlags(cert.command('expiring').description('list certificates that end soon, or have ended; the next one first'))
    .option('--within <days>', 'within so many days', '30')
    .action(async (_: unknown, command: Command) => await list(command.optsWithGlobals<ListOptions>()));

  cert
    .command('show <id>')
    .description('show a certificate; ID is its SHA-256, or the first 8 digits of it and more')
    .option('--pem', 'print the certificate itself')
    .option('--json', 'print JSON')
    .action(async (id: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddressOptions & { pem?: boolean; json?: boolean }>();
      const api = new ApiClient(findServer(options));
      const { certificatePem, ...shown } = await api.get<CertificateItem & { certificatePem: string }>(
        `/certificates/${(await findCertificate(api, id)).id}`,
      );
      if (options.pem === true) process.stdout.write(certificatePem);
      else print(options.json === true ? JSON.stringify({ ...shown, certificatePem }) : describe(shown));
    });

  cert
    .command('revoke <id>')
    .description('revoke a certificate: at once nobody gets in with it, and who is in is cut. It cannot be undone')
    .option('--reason <reason>', 'keyCompromise, superseded, cessationOfOperation, … (RFC 5280)', 'unspecified')
    .option('--json', 'print JSON')
    .action(async (id: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddressOptions & { reason: string; json?: boolean }>();
      const api = new ApiClient(findServer(options));
      const { id: whole, status } = await findCertificate(api, id);
      const revoked = await api.post<CertificateItem>(`/certificates/${whole}/revoke`, { reason: options.reason });
      if (options.json === true) return print(JSON.stringify(revoked));
      print(
        status === 'revoked'
          ? `${short(whole)} was revoked already (${revoked.revocationReason ?? ''})`
          : `revoked ${short(whole)}${revoked.device === undefined ? '' : ` of ${revoked.device}`}`,
      );
    });
}

function listFlags(command: Command): Command {
  return command.option('--limit <n>', 'at most so many', '1000').option('--json', 'print JSON lines');
}

async function issue(device: string, options: IssueOptions): Promise<void> {
  const days = options.days === undefined ? undefined : wholeNumber('--days', options.days);
  const csrPem = options.csr === undefined ? undefined : readText(options.csr);
  // Before anything is issued: what is there is kept.
  ensureFree(options.out, device, csrPem === undefined);
  const server = findServer(options);
  const issued = await issueCertificate(new ApiClient(server), device, { csrPem, days, create: options.create === true });
  const files = writeCertificate(options.out, device, issued);
  if (options.json === true)
    return print(JSON.stringify({ ...files, certificateId: issued.certificateId, notAfterMs: issued.notAfterMs }));
  const { mqttsUrl } = server;
  print(
    [
      `certificate  ${files.certificate}   (until ${day(issued.notAfterMs)}, id ${short(issued.certificateId)})`,
      ...(files.key === undefined ? [] : [`key          ${files.key}   (kept nowhere else)`]),
      `authority    ${files.authority}`,
      '',
      `mosquitto_pub ${mosquittoAddress(mqttsUrl)} --cafile ${files.authority} --cert ${files.certificate} --key ${files.key ?? 'YOUR.key'} -i ${device} -q 1 -t telemetry/${device} -m '{"temperature":23.5}'`,
    ].join('\n'),
  );
}

async function list(options: ListOptions): Promise<void> {
  const limit = wholeNumber('--limit', options.limit);
  const within = options.within === undefined ? undefined : wholeNumber('--within', options.within);
  const api = new ApiClient(findServer(options));
  const { device, status, serial } = options;
  const query = { device, status, serial, expiringWithinDays: within, limit: Math.min(PAGE, limit) };
  const rows: string[][] = [];
  let count = 0;
  for await (const item of api.pages<CertificateItem>('/certificates', query)) {
    if (count++ === limit) break;
    if (options.json === true) print(JSON.stringify(item));
    else
      rows.push([
        short(item.id),
        item.device ?? item.claimBatch ?? '',
        item.purpose,
        state(item),
        item.keyKind,
        day(item.notAfterMs),
        used(item),
      ]);
  }
  if (options.json === true) return;
  if (rows.length === 0) return print(within === undefined ? 'no certificates' : `no certificate ends within ${within} days`);
  print(formatTable(['id', 'device', 'purpose', 'status', 'key', 'until', 'first used'], rows));
  if (count > limit) process.stderr.write(`more are left: raise --limit (it is ${limit})\n`);
}

function describe(item: CertificateItem): string {
  const lines: [string, string | undefined][] = [
    ['id', item.id],
    ['device', item.device],
    ['claim batch', item.claimBatch],
    ['purpose', item.purpose],
    ['status', state(item)],
    ['subject', printable(item.subject)],
    ['serial', item.serial],
    ['authority', item.authority],
    ['key', `${item.keyKind}, SHA-256 ${item.keyHash}`],
    ['valid', `${time(item.notBeforeMs)} to ${time(item.notAfterMs)}`],
    ['issued', time(item.createdAtMs)],
    ['activated', item.activatedAtMs === undefined ? undefined : time(item.activatedAtMs)],
    ['first used', item.firstUsedAtMs === undefined ? undefined : time(item.firstUsedAtMs)],
    ['revoked', item.revokedAtMs === undefined ? undefined : time(item.revokedAtMs)],
  ];
  return lines.flatMap(([name, value]) => (value === undefined ? [] : `${name.padEnd(12)} ${value}`)).join('\n');
}

function state({ status, revocationReason, notAfterMs }: CertificateItem): string {
  if (status === 'revoked') return `revoked (${revocationReason ?? 'unspecified'})`;
  return notAfterMs <= Date.now() ? 'expired' : status;
}

function used({ firstUsedAtMs }: CertificateItem): string {
  return firstUsedAtMs === undefined ? 'never' : `${formatAge(Date.now() - firstUsedAtMs)} ago`;
}

function short(id: string): string {
  return id.slice(0, 16);
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}

function day(ms: number): string {
  return time(ms).slice(0, 10);
}

function wholeNumber(option: string, text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new CliError(`${option} must be a whole number`);
  return Number(text);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
