import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const TICKS_A_SECOND = 100;

/** A server under measurement: a child process, its folder, what it has used. */
export class ChildServer implements AsyncDisposable {
  readonly folder: string;
  readonly #child: ChildProcess;
  #said = '';

  constructor(command: string, args: readonly string[], options: { readonly folder: string; readonly environment?: NodeJS.ProcessEnv }) {
    this.folder = options.folder;
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: options.environment ?? process.env });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (piece: Buffer) => (this.#said = (this.#said + piece.toString()).slice(-20_000)));
    }
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the server did not start');
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
    while (performance.now() < end) {
      if (this.#child.exitCode !== null) break;
      if (await accepts(port)) return;
      await pause(20);
    }
    throw new Error(`nothing listens on port ${port}; the server said:\n${this.#said}`);
  }

  async kill(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill(signal);
    await Promise.race([ended, pause(30_000).then(() => this.#child.kill('SIGKILL'))]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'selsyn-bench-'));
}

export async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

async function accepts(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}
