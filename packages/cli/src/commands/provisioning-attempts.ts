import type { AttemptJson } from '@selsyn/platform/api/provisioning-schemas.ts';
import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { printable } from '../printable.ts';
import { findServer, type AddressOptions } from '../server-address.ts';

interface AttemptOptions extends AddressOptions {
  readonly template?: string;
  readonly serial?: string;
  readonly device?: string;
  readonly claim?: string;
  readonly outcome?: string;
  readonly limit: string;
  readonly json?: boolean;
}

const PAGE = 500;

/** `selsyn provisioning attempts` */
export function addAttemptsCommand(provisioning: Command): void {
  provisioning
    .command('attempts')
    .description('show who wanted to enrol and what became of it, step by step; the newest last')
    .option('--serial <serial>', 'of this serial number')
    .option('--device <id>', 'of this device')
    .option('--template <name>', 'by this template')
    .option('--claim <name>', 'with this claim batch or token')
    .option('--outcome <outcome>', 'enrolled, renewed, refused, quarantined or abandoned')
    .option('--limit <n>', 'at most so many', '50')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => await show(command.optsWithGlobals<AttemptOptions>()));
}

async function show({ template, serial, device, claim, outcome, ...options }: AttemptOptions): Promise<void> {
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1) throw new CliError('--limit must be a positive whole number');
  const api = new ApiClient(findServer(options));
  const attempts: AttemptJson[] = [];
  const query = { template, serial, device, claim, outcome, limit: Math.min(PAGE, limit) };
  for await (const attempt of api.pages<AttemptJson>('/provisioning/attempts', query)) {
    attempts.push(attempt);
    if (attempts.length >= limit) break;
  }
  attempts.reverse();
  if (options.json === true) for (const attempt of attempts) print(JSON.stringify(attempt));
  else if (attempts.length === 0) print('nobody like this wanted to enrol');
  else for (const attempt of attempts) print(attemptLine(attempt));
}

/** `2026-11-22T10:11:12Z  gh-1  192.0.2.7  claim batch march · CSR accepted · serial not in manifest · refused` */
export function attemptLine({ atMs, deviceId, serial, clientId, remoteAddress, steps }: AttemptJson): string {
  const who = deviceId ?? serial ?? clientId ?? '';
  const time = new Date(atMs).toISOString().replace(/\.\d+/, '');
  return [time, who, remoteAddress ?? '', steps.join(' · ')]
    .filter((cell) => cell !== '')
    .map(printable)
    .join('  ');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
