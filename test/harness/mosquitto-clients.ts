import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import type { Way } from './client-library.ts';
import { eventually } from './selsyn.ts';

const run = promisify(execFile);

/** As `-V` has them. */
export type MosquittoVersion = 'mqttv311' | 'mqttv5';

/** Runs mosquitto_pub or mosquitto_rr to its end. @returns what it printed @throws where it says that it failed */
export async function runMosquitto(
  program: 'mosquitto_pub' | 'mosquitto_rr',
  way: Way,
  version: MosquittoVersion,
  args: readonly string[],
): Promise<string> {
  const { stdout } = await run(program, [...connection(way, version), ...args], { timeout: 30_000 });
  return stdout;
}

/** A mosquitto_sub that runs. */
export class MosquittoSub implements Disposable {
  readonly #child: ChildProcess;
  /** Settled when it has ended, by itself or not. */
  readonly ended: Promise<unknown>;
  #said = '';

  /** @param format as of `-F`, one line for each message. */
  constructor(way: Way, version: MosquittoVersion, format: string, args: readonly string[]) {
    // Into a pipe it would write only when it has much to say or ends.
    const command = ['-oL', 'mosquitto_sub', ...connection(way, version), '-d', '-F', `> ${format}`, ...args];
    this.#child = spawn('stdbuf', command, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (piece: Buffer) => (this.#said += piece.toString()));
    this.ended = new Promise((resolve) => this.#child.once('close', resolve));
  }

  /** The QoS or the code that it was granted, of each filter. */
  async granted(): Promise<string> {
    return await eventually(async () => /^Subscribed \(mid: \d+\): (.*)$/m.exec(this.#said)?.[1]);
  }

  /** The messages, one line each. */
  async heard(atLeast: number): Promise<readonly string[]> {
    return await eventually(async () => {
      const lines = this.#said.split('\n').filter((line) => line.startsWith('> '));
      return lines.length >= atLeast ? lines.map((line) => line.slice(2)) : undefined;
    });
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#child.kill(signal);
    await this.ended;
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}

function connection({ host, port, tls }: Way, version: MosquittoVersion): string[] {
  const certificate = tls?.certificate;
  return [
    '-h',
    host,
    '-p',
    String(port),
    '-V',
    version,
    ...(tls === undefined ? [] : ['--cafile', tls.caFile]),
    ...(certificate === undefined ? [] : ['--cert', certificate.certFile, '--key', certificate.keyFile]),
  ];
}
