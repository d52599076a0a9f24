import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliError } from './cli-error.ts';

export interface ServerAddress {
  /** Without a trailing slash. */
  readonly url: string;
  readonly key: string;
  readonly mqttUrl: string;
}

export interface AddressOptions {
  readonly url?: string;
  readonly key?: string;
  /** Data folder of a server on this machine. */
  readonly data?: string;
}

/**
 * Finds the server: `--url`/`--key`, then `SELSYN_URL`/`SELSYN_KEY`, then the one that runs on the data folder here.
 * @throws CliError when there is no key to be found.
 */
export function findServer(options: AddressOptions, environment: NodeJS.ProcessEnv = process.env): ServerAddress {
  const data = options.data ?? environment['SELSYN_DATA'] ?? 'data';
  const running = readRunFile(data);
  const url = (options.url ?? environment['SELSYN_URL'] ?? running?.http ?? 'http://127.0.0.1:8080').replace(/\/+$/, '');
  const key = options.key ?? environment['SELSYN_KEY'] ?? readKey(data);
  if (key === undefined) {
    throw new CliError(
      `no key: set SELSYN_KEY, pass --key, or run this where the server's data folder is (looked for ${join(data, 'admin.key')})`,
    );
  }
  return { url, key, mqttUrl: running?.mqtt ?? `mqtt://${new URL(url).hostname}:1883` };
}

function readRunFile(data: string): { readonly http: string; readonly mqtt: string } | undefined {
  try {
    const run: unknown = JSON.parse(readFileSync(join(data, 'run.json'), 'utf8'));
    if (typeof run === 'object' && run !== null && 'http' in run && 'mqtt' in run)
      return { http: String(run.http), mqtt: String(run.mqtt) };
  } catch {
    // No server was started on this folder: the defaults hold.
  }
  return undefined;
}

function readKey(data: string): string | undefined {
  try {
    return readFileSync(join(data, 'admin.key'), 'utf8').trim();
  } catch {
    return undefined;
  }
}
