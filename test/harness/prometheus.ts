import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { reservePorts } from '@selsyn/platform/app/listening.ts';
import { findProgram } from './programs.ts';

const START_MS = 30_000;

/** Prometheus with samples of the past, on a free port of the loopback interface. */
export class Prometheus implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, url: string, folder: string) {
    this.#child = child;
    this.url = url;
    this.#folder = folder;
  }

  /** @param openMetrics the samples as text; undefined, with a printed reason, where it is not installed. */
  static async startWith(openMetrics: string): Promise<Prometheus | undefined> {
    const [program, tool] = [findProgram('prometheus'), findProgram('promtool')];
    if (program === undefined || tool === undefined) return undefined;
    const folder = mkdtempSync(join(tmpdir(), 'selsyn-prometheus-'));
    writeFileSync(join(folder, 'samples.txt'), openMetrics);
    writeFileSync(join(folder, 'prometheus.yml'), 'global: {}\n');
    execFileSync(tool, ['tsdb', 'create-blocks-from', 'openmetrics', join(folder, 'samples.txt'), join(folder, 'data')], {
      stdio: 'pipe',
    });
    const { port } = await reservePorts({ port: { host: '127.0.0.1', port: 0, portKey: '' } });
    const settings = {
      'config.file': join(folder, 'prometheus.yml'),
      'storage.tsdb.path': join(folder, 'data'),
      'storage.tsdb.retention.time': '100y',
      'web.listen-address': `127.0.0.1:${port}`,
      'log.level': 'error',
    };
    const child = spawn(
      program,
      Object.entries(settings).map(([name, value]) => `--${name}=${value}`),
      { stdio: 'ignore', cwd: folder },
    );
    const prometheus = new Prometheus(child, `http://127.0.0.1:${port}`, folder);
    for (const end = performance.now() + START_MS; performance.now() < end && child.exitCode === null;) {
      const ready = await fetch(`${prometheus.url}/-/ready`).catch(() => undefined);
      if (ready?.ok === true) return prometheus;
      await pause(20);
    }
    await prometheus[Symbol.asyncDispose]();
    throw new Error('Prometheus did not start');
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
