import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliError } from './cli-error.ts';

export interface ServerAddress {
  /** Without a trailing slash. */
  readonly url: string;
  readonly key: string;
  /** Where the key was found, for people. */
  readonly keyFrom: string;
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
 * @throws CliError when there is no key to be found, or the URL is none.
 */
export function findServer(options: AddressOptions, environment: NodeJS.ProcessEnv = process.env): ServerAddress {
  const data = options.data ?? environment['SELSYN_DATA'] ?? 'data';
  const running = readRunFile(data);
  const url = (options.url ?? environment['SELSYN_URL'] ?? running?.http ?? 'http://127.0.0.1:8080').replace(/\/+$/, '');
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
    throw new CliError(`"${url}" is no URL of a server, as http://127.0.0.1:8080`);
  const { key, keyFrom } = findKey(options, environment, join(data, 'admin.key'));
  return { url, key, keyFrom, mqttUrl: running?.mqtt ?? `mqtt://${new URL(url).hostname}:1883` };
}

function findKey(
  options: AddressOptions,
  environment: NodeJS.ProcessEnv,
  file: string,
): { readonly key: string; readonly keyFrom: string } {
  if (options.key !== undefined) return { key: options.key, keyFrom: '--key' };
  const variable = environment['SELSYN_KEY'];
  if (variable !== undefined) return { key: variable, keyFrom: 'SELSYN_KEY' };
  try {
    return { key: readFileSync(file, 'utf8').trim(), keyFrom: file };
  } catch (error) {
    const denied = error instanceof Error && 'code' in error && error.code === 'EACCES';
    throw new CliError(
      denied
        ? `no key: ${file} may not be read by this user; set SELSYN_KEY or pass --key`
        : `no key: there is no ${file}; start the server with "npm start", name its data folder with --data, or set SELSYN_KEY`,
    );
  }
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
