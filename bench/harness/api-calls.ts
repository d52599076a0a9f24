import { execFileSync } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { temporaryFolder } from './child-server.ts';
import { AUTHORIZATION, type SelsynServer } from './servers.ts';

const CLI = join(import.meta.dirname, '..', '..', 'packages', 'cli', 'bin', 'selsyn.js');

/** A request to the API with a body of JSON, or of CSV. @throws Error for any answer that is none of success */
export async function send<T>({ httpPort }: SelsynServer, method: string, path: string, body: object | string): Promise<T> {
  const type = typeof body === 'string' ? 'text/csv' : 'application/json';
  const response = await fetch(`http://127.0.0.1:${httpPort}/api/v1${path}`, {
    method,
    headers: { authorization: AUTHORIZATION, 'content-type': type },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}

function cli({ httpPort }: SelsynServer, ...args: readonly string[]): void {
  const key = AUTHORIZATION.replace('Bearer ', '');
  execFileSync(process.execPath, [CLI, '--url', `http://127.0.0.1:${httpPort}`, '--key', key, ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** Imports devices as a user does. @returns how long the import took, s. */
export async function importCsv(selsyn: SelsynServer, lines: Iterable<string>): Promise<number> {
  const file = join(temporaryFolder(), 'devices.csv');
  await pipeline(Readable.from(lines), createWriteStream(file));
  const startedMs = performance.now();
  cli(selsyn, 'device', 'import', file);
  return (performance.now() - startedMs) / 1_000;
}
