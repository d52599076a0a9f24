import { createReadStream, createWriteStream, statSync, type WriteStream } from 'node:fs';
import { once } from 'node:events';
import type { ManifestEntryJson, ManifestUploadJson } from '@selsyn/platform/api/provisioning-schemas.ts';
import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { openProgress } from '../import/import-progress.ts';
import { partsOfManifest } from '../import/manifest-parts.ts';
import { printable } from '../printable.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { counted, formatTable } from '../table.ts';

interface UploadOptions extends AddressOptions {
  readonly batch?: string;
  readonly refused?: string;
  readonly format?: string;
}

interface ListOptions extends AddressOptions {
  readonly serial?: string;
  readonly used?: boolean;
  readonly unused?: boolean;
  readonly limit: string;
  readonly json?: boolean;
}

const PART_BYTES = 512 * 1024;
const PAGE = 500;
const MAX_SHOWN = 20;
const TYPES = { csv: 'text/csv', jsonl: 'application/x-ndjson' } as const;

/** `selsyn provisioning manifest upload|list|remove` */
export function addManifestCommands(provisioning: Command): void {
  const manifest = provisioning.command('manifest').description('which serial numbers may enrol');

  manifest
    .command('upload <template> <file>')
    .description('add serial numbers from CSV (serial,batch,keyHash,hmac) or JSON Lines; to repeat it does no harm')
    .option('--batch <name>', 'for rows that name none: the claim batch with which alone they may enrol')
    .option('--refused <file>', 'write the rows that were not taken to this file, as CSV')
    .option('--format <format>', 'csv or jsonl (default: by the name of the file)')
    .action(async (template: string, file: string, _: unknown, command: Command) => {
      await upload(template, file, command.optsWithGlobals<UploadOptions>());
    });

  manifest
    .command('list <template>')
    .description('list serial numbers')
    .option('--serial <serial>', 'only this one')
    .option('--used', 'only those that have enrolled')
    .option('--unused', 'only those that have not')
    .option('--limit <n>', 'at most so many', '1000')
    .option('--json', 'print JSON lines')
    .action(
      async (template: string, _: unknown, command: Command) => await list(template, command.optsWithGlobals<ListOptions>()),
    );

  manifest
    .command('remove <template> <serial>')
    .description('let a serial number enrol no more; a device that has stays')
    .action(async (template: string, serial: string, _: unknown, command: Command) => {
      const api = new ApiClient(findServer(command.optsWithGlobals<AddressOptions>()));
      await api.delete(`${pathOf(template)}/${encodeURIComponent(serial)}`);
      print(`removed ${printable(serial)}`);
    });
}

async function upload(template: string, file: string, options: UploadOptions): Promise<void> {
  const format = formatOf(file, options.format);
  const api = new ApiClient(findServer(options));
  const ofBytes = sizeOf(file);
  const progress = openProgress(process.stderr);
  const report = options.refused === undefined ? undefined : await openReport(options.refused);
  const total = { rows: 0, added: 0, unchanged: 0, refused: 0 };
  const shown: string[] = [];
  try {
    for await (const part of partsOfManifest(createReadStream(file), { format, size: PART_BYTES })) {
      const answer = await api.postBytes<ManifestUploadJson>(
        pathOf(template),
        { batch: options.batch },
        part.bytes,
        TYPES[format],
      );
      total.rows += answer.rows;
      total.added += answer.added;
      total.unchanged += answer.unchanged;
      total.refused += answer.refused;
      for (const { row, serial = '', reason } of answer.refusals) {
        const at = row + part.rowsBefore;
        if (shown.length < MAX_SHOWN)
          shown.push(`row ${at}${serial === '' ? '' : `, ${printable(serial)}`}: ${printable(reason)}`);
        report?.write(`${at},${cell(serial)},${cell(reason)}\n`);
      }
      progress.update({ bytes: part.readBytes, ofBytes, rows: total.rows, refused: total.refused });
    }
  } finally {
    progress.stop();
    if (report !== undefined) await closeReport(report);
  }
  for (const line of shown) process.stderr.write(`${line}\n`);
  if (total.refused > shown.length)
    process.stderr.write(
      `and ${(total.refused - shown.length).toLocaleString('en-US')} more${report === undefined ? '; --refused FILE writes all' : ''}\n`,
    );
  const { added, unchanged, refused } = total;
  print(
    `${counted(added, 'serial number')} added, ${unchanged.toLocaleString('en-US')} there already, ${refused.toLocaleString('en-US')} refused`,
  );
  if (refused > 0) process.exitCode = 1;
}

async function list(template: string, options: ListOptions): Promise<void> {
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1) throw new CliError('--limit must be a positive whole number');
  if (options.used === true && options.unused === true) throw new CliError('give --used or --unused, not both');
  const state = options.used === true ? 'used' : options.unused === true ? 'unused' : undefined;
  const api = new ApiClient(findServer(options));
  const entries: ManifestEntryJson[] = [];
  for await (const entry of api.pages<ManifestEntryJson>(pathOf(template), {
    serial: options.serial,
    state,
    limit: Math.min(PAGE, limit),
  })) {
    entries.push(entry);
    if (entries.length >= limit) break;
  }
  if (options.json === true) for (const entry of entries) print(JSON.stringify(entry));
  else if (entries.length === 0) print('no such serial number is in the manifest');
  else
    print(
      formatTable(
        ['serial', 'batch', 'key', 'HMAC', 'enrolled'],
        entries.map(({ serial, batch = '', keyHash = '', hmac, usedAtMs }) => [
          printable(serial),
          batch,
          keyHash.slice(0, 12),
          hmac ? 'yes' : '',
          usedAtMs === undefined ? '' : new Date(usedAtMs).toISOString(),
        ]),
      ),
    );
}

function pathOf(template: string): string {
  return `/provisioning/templates/${encodeURIComponent(template)}/manifest`;
}

function formatOf(file: string, given: string | undefined): 'csv' | 'jsonl' {
  const format = given ?? (/\.(jsonl|ndjson)$/i.test(file) ? 'jsonl' : 'csv');
  if (format === 'csv' || format === 'jsonl') return format;
  throw new CliError('--format is csv or jsonl');
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch (error) {
    throw new CliError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Opened before anything is sent: what cannot be written is known in time. */
async function openReport(path: string): Promise<WriteStream> {
  const stream = createWriteStream(path);
  try {
    await once(stream, 'open');
  } catch (error) {
    throw new CliError(`${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  }
  stream.write('row,serial,reason\n');
  return stream;
}

async function closeReport(stream: WriteStream): Promise<void> {
  stream.end();
  await once(stream, 'close');
}

function cell(text: string): string {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
