import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export const CLI = join(import.meta.dirname, '..', '..', 'packages', 'cli', 'bin', 'selsyn.js');
export const ADMIN_KEY = 'test-admin-key-0123456789';

/** A machine that does much else takes long to start a process with its threads. */
const START_MS = 150_000;

export interface StartOptions {
  /** A folder that an earlier run left; a new one where absent, removed at the end. */
  readonly data?: string;
  readonly settings?: readonly string[];
  /** Of Node itself, as `--import FILE`; they hold in its threads too. */
  readonly nodeOptions?: readonly string[];
}

/** What a running server says of itself in `run.json`. */
interface RunFile {
  readonly http: string;
  readonly mqtt: string;
  readonly https?: string;
  readonly mqtts?: string;
  readonly ws?: string;
  readonly wss?: string;
  readonly unix?: string;
  readonly caFile?: string;
}

/** The settings of ports, and the URL that tells what came of each. */
const PORTS = {
  'mqtt.port': 'mqtt',
  'http.port': 'http',
  'https.port': 'https',
  'tls.port': 'mqtts',
  'ws.port': 'ws',
  'ws.tlsPort': 'wss',
} as const;
/** Free ports for all doors, as settings. */
export const FREE_PORTS: readonly string[] = Object.keys(PORTS).map((key) => `${key}=0`);

/** Selsyn in a process of its own, as `selsyn up` runs it, on free ports. */
export class Selsyn implements AsyncDisposable {
  readonly data: string;
  readonly #ownsData: boolean;
  readonly #settings: readonly string[];
  readonly #nodeOptions: readonly string[];
  #child: ChildProcess | undefined;
  #said = '';
  #run: RunFile = { http: '', mqtt: '' };

  private constructor(options: StartOptions) {
    this.#ownsData = options.data === undefined;
    this.data = options.data ?? mkdtempSync(join(tmpdir(), 'selsyn-test-'));
    this.#settings = options.settings ?? [];
    this.#nodeOptions = options.nodeOptions ?? [];
  }

  static async start(options: StartOptions = {}): Promise<Selsyn> {
    const selsyn = new Selsyn(options);
    await selsyn.restart();
    return selsyn;
  }

  get url(): string {
    return this.#run.http;
  }

  get mqttUrl(): string {
    return this.#run.mqtt;
  }

  /** Of MQTT over TLS; clients trust `caFile`. */
  get mqttsUrl(): string {
    return this.#run.mqtts ?? '';
  }

  /** Of the API over TLS. */
  get httpsUrl(): string {
    return this.#run.https ?? '';
  }

  get wsUrl(): string {
    return this.#run.ws ?? '';
  }

  get wssUrl(): string {
    return this.#run.wss ?? '';
  }

  get caFile(): string {
    return this.#run.caFile ?? '';
  }

  get mqttPort(): number {
    return Number(new URL(this.#run.mqtt).port);
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** The end of what the process printed. */
  get said(): string {
    return this.#said;
  }

  /** Starts again on the same folder (and, if it ran before, on the same ports) and waits until it is ready, or only started. */
  async restart(ready = true): Promise<void> {
    const ports = Object.entries(PORTS).map(([key, door]) => {
      const url = this.#run[door] ?? '';
      return `${key}=${url === '' ? 0 : new URL(url).port}`;
    });
    const settings = [`access.adminKey=${ADMIN_KEY}`, ...ports, ...this.#settings];
    rmSync(join(this.data, 'run.json'), { force: true });
    const child = spawn(
      process.execPath,
      [...this.#nodeOptions, CLI, 'up', '--data', this.data, ...settings.flatMap((setting) => ['--set', setting])],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (piece: Buffer) => (this.#said = (this.#said + piece.toString()).slice(-50_000)));
    for (const end = performance.now() + START_MS; performance.now() < end;) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`selsyn ended with ${child.exitCode ?? child.signalCode}:\n${this.#said}`);
      const run = this.#readRunFile();
      if (run !== undefined) {
        this.#run = run;
        if (!ready || (await fetch(`${run.http}/readyz`).catch(() => undefined))?.ok === true) return;
      }
      await pause(20);
    }
    throw new Error(`selsyn did not become ready:\n${this.#said}`);
  }

  /** Sends a signal and waits for the end. @returns the exit code, undefined when the signal ended it. */
  async end(signal: NodeJS.Signals): Promise<number | undefined> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? undefined;
    const ended = new Promise<number | undefined>((resolve) => child.once('exit', (code) => resolve(code ?? undefined)));
    child.kill(signal);
    return await ended;
  }

  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return await fetch(`${this.url}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${ADMIN_KEY}`, ...(init.headers as Record<string, string> | undefined) },
    });
  }

  /** @throws when the answer is not 2xx */
  async get<T>(path: string): Promise<T> {
    const response = await this.fetch(path);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** Adds a device and returns its token. */
  async addDevice(id: string): Promise<string> {
    const response = await this.fetch('/api/v1/devices', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id }),
    });
    if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
    return ((await response.json()) as { token: string }).token;
  }

  /** Runs the command line against this server. */
  async cli(
    ...args: readonly string[]
  ): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
    const environment = { ...process.env, SELSYN_URL: this.url, SELSYN_KEY: ADMIN_KEY };
    const child = spawn(process.execPath, [CLI, '--data', this.data, ...args], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (piece: Buffer) => (stdout += piece.toString()));
    child.stderr.on('data', (piece: Buffer) => (stderr += piece.toString()));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { code, stdout, stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
    if (this.#ownsData) rmSync(this.data, { recursive: true, force: true });
  }

  #readRunFile(): RunFile | undefined {
    try {
      return JSON.parse(readFileSync(join(this.data, 'run.json'), 'utf8')) as RunFile;
    } catch {
      return undefined;
    }
  }
}

/** Asks again and again until the answer is there. @throws with the last answer after `deadlineMs`. */
export async function eventually<T>(ask: () => Promise<T | undefined>, deadlineMs = 120_000): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > end) throw new Error('it did not happen in time');
    await pause(20);
  }
}
