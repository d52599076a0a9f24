import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { reservePorts } from '@selsyn/platform/app/listening.ts';
import { findProgram } from './programs.ts';

const START_MS = 30_000;

/** mosquitto, with bounds that a test does not reach, on a free port of the loopback interface. */
export class Mosquitto implements AsyncDisposable {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, port: number, folder: string) {
    this.#child = child;
    this.port = port;
    this.#folder = folder;
  }

  /** Undefined, with a printed reason, where it is not installed. */
  static async start(settings: readonly string[] = []): Promise<Mosquitto | undefined> {
    const program = findProgram('mosquitto');
    if (program === undefined) return undefined;
    const folder = mkdtempSync(join(tmpdir(), 'selsyn-mosquitto-'));
    const port = await freePort();
    const lines = [
      `listener ${port} 127.0.0.1`,
      'allow_anonymous true',
      'persistence false',
      'log_dest none',
      'max_inflight_messages 0',
      'max_queued_messages 0',
      'set_tcp_nodelay true',
      'sys_interval 0',
      ...settings,
    ];
    writeFileSync(join(folder, 'mosquitto.conf'), `${lines.join('\n')}\n`);
    const child = spawn(program, ['-c', join(folder, 'mosquitto.conf')], { stdio: 'ignore', cwd: folder });
    const mosquitto = new Mosquitto(child, port, folder);
    for (const end = performance.now() + START_MS; performance.now() < end && child.exitCode === null;) {
      if (await accepts(port)) return mosquitto;
      await pause(20);
    }
    await mosquitto[Symbol.asyncDispose]();
    throw new Error('mosquitto did not start');
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = new Promise((resolve) => this.#child.once('exit', resolve));
      this.#child.kill('SIGKILL');
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  return (await reservePorts({ free: { host: '127.0.0.1', port: 0, portKey: '' } })).free;
}

async function accepts(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}
