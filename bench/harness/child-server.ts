import { spawn, type ChildProcess } from 'node:child_process';
import { chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { reservePorts } from '@selsyn/platform/app/listening.ts';
import { onAbruptEnd } from './exit-cleanup.ts';

const TICKS_A_SECOND = 100;
const STOP_DEADLINE_MS = 60_000;

export interface ChildServerOptions {
  /** Removed with the server, unless `keepFolder`. */
  readonly folder: string;
  readonly keepFolder?: boolean;
  /** Another user to run as. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** What asks it to stop; default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
}

/** A server under measurement: a child process, its folder, what it has used. */
export class ChildServer implements AsyncDisposable {
  readonly folder: string;
  readonly #child: ChildProcess;
  readonly #options: ChildServerOptions;
  readonly #forget: () => void;
  #said = '';

  constructor(command: string, args: readonly string[], options: ChildServerOptions) {
    this.folder = options.folder;
    this.#options = options;
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: options.folder, ...options.user });
    this.#child.on('error', (error) => (this.#said += `${error.message}\n`));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (piece: Buffer) => (this.#said = (this.#said + piece.toString()).slice(-20_000)));
    }
    this.#forget = onAbruptEnd(() => {
      this.#child.kill('SIGKILL');
      rmSync(options.folder, { recursive: true, force: true });
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`the server did not start: ${this.#said}`);
    return this.#child.pid;
  }

  /** The end of what it printed. */
  get said(): string {
    return this.#said;
  }

  /** User and system CPU seconds so far, all threads. */
  cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
  }

  residentBytes(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  }

  async listening(port: number, deadlineMs = 60_000): Promise<void> {
    const end = performance.now() + deadlineMs;
    while (performance.now() < end && !this.#hasEnded()) {
      if (await accepts(port)) return;
      await pause(20);
    }
    throw new Error(`nothing listens on port ${port}; the server said:\n${this.#said}`);
  }

  async kill(signal: NodeJS.Signals = this.#options.stopSignal ?? 'SIGTERM'): Promise<void> {
    if (this.#hasEnded()) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill(signal);
    const deadline = setTimeout(() => this.#child.kill('SIGKILL'), STOP_DEADLINE_MS);
    await ended;
    clearTimeout(deadline);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#forget();
    if (this.#options.keepFolder !== true) rmSync(this.folder, { recursive: true, force: true });
  }

  #hasEnded(): boolean {
    return this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}

/** An empty folder, of the given user where one is given. */
export function temporaryFolder(user?: ChildServerOptions['user']): string {
  const folder = mkdtempSync(join(tmpdir(), 'selsyn-bench-'));
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  return folder;
}

export async function freePort(): Promise<number> {
  return (await reservePorts({ free: { host: '127.0.0.1', port: 0, portKey: '' } })).free;
}

async function accepts(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}
