import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Option, type Command } from 'commander';
import { ApiClient, type Page } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { openProgress } from '../import/import-progress.ts';
import { factsOf, ImportSource, type FileFacts } from '../import/import-source.ts';
import { sendImport, type ImportItem, type RefusedItem } from '../import/send-import.ts';
import { printable } from '../printable.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { counted, formatAge, formatTable } from '../table.ts';

type Format = 'csv' | 'jsonl';

interface ImportOptions extends AddressOptions {
  readonly format?: Format;
  readonly mode: string;
  readonly dryRun?: boolean;
  readonly group?: string;
  readonly resume?: string;
  readonly report?: string;
  readonly json?: boolean;
}

interface ExportOptions extends AddressOptions {
  readonly format?: Format;
  readonly out?: string;
  readonly filter?: string;
  readonly group?: string;
  readonly tag?: string;
  readonly q?: string;
}

const SHOWN_REFUSED = 10;
const FORMATS: readonly Format[] = ['csv', 'jsonl'];

/** `selsyn device import|imports|export` */
export function addDeviceBulkCommands(device: Command): void {
  device
    .command('import <file>')
    .description('import devices from CSV or lines of JSON; - reads standard input. Broken off, the same command goes on')
    .addOption(new Option('--format <format>', 'of the file (default: by its name)').choices(FORMATS))
    .addOption(
      new Option('--mode <mode>', 'what happens with devices that are there or not')
        .choices(['create', 'update', 'upsert'])
        .default('upsert'),
    )
    .option('--dry-run', 'check every row, write none')
    .option('--group <path>', 'where new devices go that name no group')
    .option('--resume <id>', 'go on with this import')
    .option('--report <file>', 'write the refused rows there, as CSV or lines of JSON')
    .option('--json', 'print JSON')
    .action(async (file: string, _: unknown, command: Command) => {
      await importDevices(file, command.optsWithGlobals<ImportOptions>());
    });

  device
    .command('imports [id]')
    .description('list imports; with an id: the rows that it refused, as lines of JSON')
    .option('--json', 'print JSON lines')
    .action(async (id: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddressOptions & { json?: boolean }>();
      const client = new ApiClient(findServer(options));
      if (id !== undefined) {
        await pour(await client.open(`/device-imports/${encodeURIComponent(id)}/refused`), process.stdout);
        return;
      }
      const { items } = await client.get<Page<ImportItem>>('/device-imports');
      if (options.json === true) return print(items.map((item) => JSON.stringify(item)).join('\n'));
      print(
        items.length === 0
          ? 'no imports'
          : formatTable(['id', 'age', 'state', 'mode', 'rows', 'created', 'updated', 'refused', 'name'], items.map(rowOf)),
      );
    });

  device
    .command('export')
    .description('write devices as CSV or lines of JSON, as import takes them')
    .addOption(new Option('--format <format>', 'default: by the name of the file, else jsonl').choices(FORMATS))
    .option('--out <file>', 'where to write (default: standard output)')
    .option('--filter <filter>', 'only devices that match, as: type = "pump" and attributes.site = "Kiel"')
    .option('--group <path>', 'only devices in this group or below')
    .option('--tag <tag>', 'only devices with this tag')
    .option('-q, --q <prefix>', 'only ids that begin so')
    .action(async (_: unknown, command: Command) => {
      await exportDevices(command.optsWithGlobals<ExportOptions>());
    });
}

async function importDevices(file: string, options: ImportOptions): Promise<void> {
  const client = new ApiClient(findServer(options));
  const facts = file === '-' ? undefined : await factsOf(file);
  const begun =
    options.resume === undefined ? await begin(client, file, facts, options) : await takeUp(client, options.resume, facts);
  if (begun.position > 0) note(`going on with import ${begun.id} after ${counted(begun.rows, 'row')}`);
  const stream: AsyncIterable<Uint8Array> = file === '-' ? process.stdin : createReadStream(file, { start: begun.position });
  const source = new ImportSource(stream, file === '-' ? 0 : begun.position);
  const view = openProgress(process.stderr);
  const onInterrupt = (): void => {
    view.stop();
    note(`broken off; what came in stays. Go on with: selsyn device import ${file} --resume ${begun.id}`);
    process.exit(130);
  };
  process.once('SIGINT', onInterrupt);
  try {
    const result = await sendImport({
      client,
      source,
      begun,
      onProgress: ({ position, rows, refused }) => view.update({ bytes: position, ofBytes: facts?.sizeBytes, rows, refused }),
      onWaiting: (error) => {
        view.stop();
        note(`${error.message}; waiting for it`);
      },
      wait: async (ms) => await sleep(ms),
    });
    view.stop();
    await report(client, result, options);
  } catch (error) {
    view.stop();
    note(`go on with: selsyn device import ${file} --resume ${begun.id}`);
    throw error;
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

async function begin(client: ApiClient, file: string, facts: FileFacts | undefined, options: ImportOptions): Promise<ImportItem> {
  return await client.post<ImportItem>('/device-imports', {
    format: options.format ?? formatOf(file),
    mode: options.mode,
    dryRun: options.dryRun === true,
    ...(options.group !== undefined && { group: options.group }),
    ...(facts !== undefined && { ...facts, name: basename(file).slice(0, 200) }),
  });
}

/** @throws CliError when the file is another one than that of the import */
async function takeUp(client: ApiClient, id: string, facts: FileFacts | undefined): Promise<ImportItem> {
  const found = await client.get<ImportItem>(`/device-imports/${encodeURIComponent(id)}`);
  if (found.fingerprint !== undefined && facts !== undefined && found.fingerprint !== facts.fingerprint) {
    throw new CliError(`import ${id} was begun with another file${found.name === undefined ? '' : `, ${printable(found.name)}`}`);
  }
  return found;
}

async function report(client: ApiClient, result: ImportItem, options: ImportOptions): Promise<void> {
  const refusedPath = `/device-imports/${result.id}/refused`;
  if (options.report !== undefined) {
    await writeFile(await client.open(refusedPath, { format: formatOf(options.report) }), options.report);
  }
  if (result.refused > 0) process.exitCode = 1;
  if (options.json === true) return print(JSON.stringify(result));
  const { created, updated, unchanged, refused } = result;
  const counts = Object.entries({ created, updated, unchanged, refused }).map(
    ([name, count]) => `${count.toLocaleString('en-US')} ${name}`,
  );
  print(`${result.dryRun ? 'dry run, nothing written: ' : ''}${counts.join(', ')}   (import ${result.id})`);
  if (refused === 0) return;
  const lines = (await (await client.open(refusedPath)).text()).trimEnd().split('\n');
  for (const line of lines.slice(0, SHOWN_REFUSED)) {
    const { row, deviceId, reason } = JSON.parse(line) as RefusedItem;
    print(`  row ${row}${deviceId === undefined ? '' : `, ${printable(deviceId)}`}: ${printable(reason)}`);
  }
  if (refused > SHOWN_REFUSED) {
    print(`  and ${counted(refused - SHOWN_REFUSED, 'row')} more: selsyn device imports ${result.id}, or --report FILE`);
  }
}

async function exportDevices(options: ExportOptions): Promise<void> {
  const { out, filter, group, tag, q } = options;
  const format = options.format ?? (out === undefined ? 'jsonl' : formatOf(out));
  const client = new ApiClient(findServer(options));
  // A download has no deadline: it goes on as long as the server sends.
  const response = await client.open('/device-export', { format, filter, group, tag, q }, new AbortController().signal);
  if (out === undefined) await pour(response, process.stdout);
  else await writeFile(response, out);
}

/** Writes a file that is there only when it is whole. */
async function writeFile(response: Response, path: string): Promise<void> {
  const unfinished = `${path}.part`;
  const stream = createWriteStream(unfinished);
  try {
    await once(stream, 'open');
    const rows = await pour(response, stream, openProgress(process.stderr));
    stream.end();
    await once(stream, 'close');
    await rename(unfinished, path);
    note(`${path}: ${counted(rows, 'line')}`);
  } catch (error) {
    stream.destroy();
    await rm(unfinished, { force: true });
    throw error;
  }
}

/** @returns how many lines it were. @throws CliError when the answer broke off */
async function pour(response: Response, out: NodeJS.WritableStream, view?: ReturnType<typeof openProgress>): Promise<number> {
  let bytes = 0;
  let rows = 0;
  try {
    for await (const chunk of response.body ?? []) {
      bytes += chunk.length;
      for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) rows += 1;
      view?.update({ bytes, ofBytes: undefined, rows });
      if (!out.write(chunk)) await once(out, 'drain');
    }
  } catch (error) {
    throw new CliError(
      `the download broke off after ${counted(rows, 'line')}: ${error instanceof Error ? error.message : String(error)}`,
    );
  } finally {
    view?.stop();
  }
  return rows;
}

function formatOf(file: string): Format {
  if (/\.csv$/i.test(file)) return 'csv';
  if (/\.(jsonl|ndjson)$/i.test(file)) return 'jsonl';
  throw new CliError(`${file === '-' ? 'standard input' : file} may be CSV or lines of JSON: say --format csv or --format jsonl`);
}

function rowOf({ id, createdAtMs, state, mode, dryRun, rows, created, updated, refused, name }: ImportItem): string[] {
  const counts = [rows, created, updated, refused].map(String);
  return [id, formatAge(Date.now() - createdAtMs), state, dryRun ? `${mode}, dry` : mode, ...counts, printable(name ?? '')];
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

function print(text: string): void {
  if (text !== '') process.stdout.write(`${text}\n`);
}
