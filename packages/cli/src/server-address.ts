import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliError } from './cli-error.ts';
import { storedSession } from './stored-session.ts';

export interface ServerAddress {
  /** Without a trailing slash. */
  readonly url: string;
  readonly key: string;
  /** Where the key was found, for people. */
  readonly keyFrom: string;
  readonly mqttUrl: string;
  /** MQTT over TLS. */
  readonly mqttsUrl: string;
}

export interface AddressOptions {
  readonly url?: string;
  readonly key?: string;
  /** Data folder of a server on this machine. */
  readonly data?: string;
}

/**
 * Finds the server: `--url`/`--key`, then `SELSYN_URL`/`SELSYN_KEY`, then the one that runs on the data folder here. Who has
 * signed in there (`selsyn login`) acts as that user; else the key of the data folder is used.
 * @throws CliError when there is no key to be found, or the URL is none.
 */
export function findServer(options: AddressOptions, environment: NodeJS.ProcessEnv = process.env): ServerAddress {
  const data = dataFolder(options, environment);
  const running = readRunFile(data);
  const url = serverUrl(options, environment);
  const { key, keyFrom } = findKey(options, environment, { url, file: join(data, 'admin.key') });
  const own = running !== undefined && isSameServer(running.http, url) ? running : undefined;
  const { hostname } = new URL(url);
  const mqttUrl = own?.mqtt ?? `mqtt://${hostname}:1883`;
  return { url, key, keyFrom, mqttUrl, mqttsUrl: own?.mqtts ?? `mqtts://${hostname}:8883` };
}

/** Where the server is, without asking who calls it. @throws CliError when the URL is none */
export function serverUrl(options: AddressOptions, environment: NodeJS.ProcessEnv = process.env): string {
  const running = readRunFile(dataFolder(options, environment));
  const url = (options.url ?? environment['SELSYN_URL'] ?? running?.http ?? 'http://127.0.0.1:8080').replace(/\/+$/, '');
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
    throw new CliError(`"${url}" is no URL of a server, as http://127.0.0.1:8080`);
  return url;
}

function dataFolder(options: AddressOptions, environment: NodeJS.ProcessEnv): string {
  return options.data ?? environment['SELSYN_DATA'] ?? 'data';
}

/** How mosquitto's commands are told of an MQTT listener: `-h 127.0.0.1 -p 1883`. */
export function mosquittoAddress(mqttUrl: string): string {
  const { hostname, port } = new URL(mqttUrl);
  return `-h ${hostname.replace(/^\[|\]$/g, '')} -p ${port === '' ? '1883' : port}`;
}

/** The names of loopback are one host. */
function isSameServer(one: string, other: string): boolean {
  const [a, b] = [URL.parse(one), URL.parse(other)];
  if (a === null || b === null) return false;
  const isLoopback = ({ hostname }: URL): boolean => ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  return a.port === b.port && (a.hostname === b.hostname || (isLoopback(a) && isLoopback(b)));
}

function findKey(
  options: AddressOptions,
  environment: NodeJS.ProcessEnv,
  { url, file }: { readonly url: string; readonly file: string },
): { readonly key: string; readonly keyFrom: string } {
  if (options.key !== undefined) return { key: options.key, keyFrom: '--key' };
  const variable = environment['SELSYN_KEY'];
  if (variable !== undefined) return { key: variable, keyFrom: 'SELSYN_KEY' };
  const session = storedSession(url, environment);
  if (session !== undefined) return { key: session.token, keyFrom: `selsyn login (as ${session.name})` };
  try {
    return { key: readFileSync(file, 'utf8').trim(), keyFrom: file };
  } catch (error) {
    const denied = error instanceof Error && 'code' in error && error.code === 'EACCES';
    throw new CliError(
      denied
        ? `no key: ${file} may not be read by this user; set SELSYN_KEY or pass --key`
        : `no key: there is no ${file}; start the server with "npm start", name its data folder with --data, sign in with "selsyn login", or set SELSYN_KEY`,
    );
  }
}

function readRunFile(data: string): { readonly http: string; readonly mqtt: string; readonly mqtts?: string } | undefined {
  try {
    const run: unknown = JSON.parse(readFileSync(join(data, 'run.json'), 'utf8'));
    if (typeof run === 'object' && run !== null && 'http' in run && 'mqtt' in run)
      return {
        http: String(run.http),
        mqtt: String(run.mqtt),
        ...('mqtts' in run && typeof run.mqtts === 'string' && { mqtts: run.mqtts }),
      };
  } catch {
    // No server was started on this folder: the defaults hold.
  }
  return undefined;
}
