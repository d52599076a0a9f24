import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { eventually } from './selsyn.ts';

/**
 * What the threads of a server hold on to, after a garbage collection in each: live objects and buffers.
 * Resident memory is no measure of that: how far V8 lets the heaps of eight threads grow before it collects, and when it gives
 * pages back, differs by hundreds of MiB from run to run.
 */
export class HeldMemory implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'selsyn-held-'));
  #asked = 0;

  constructor() {
    writeFileSync(this.#path('held.mjs'), SCRIPT);
  }

  /** For `StartOptions.nodeOptions`. */
  get nodeOptions(): readonly string[] {
    return ['--import', pathToFileURL(this.#path('held.mjs')).href];
  }

  /** Bytes that all threads of a process hold now. */
  async bytes(pid: number): Promise<number> {
    this.#asked += 1;
    writeFileSync(this.#path('asked'), String(this.#asked));
    const answers = readdirSync(this.#folder)
      .filter((name) => name.startsWith(`thread-${pid}-`))
      .map((name) => this.#path(`${name.replace('thread', 'held')}-${this.#asked}`));
    await eventually(async () => (answers.every((path) => existsSync(path)) ? true : undefined), 30_000);
    return answers.reduce((sum, path) => sum + Number(readFileSync(path, 'utf8')), 0);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}

const SCRIPT = `
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { threadId } from 'node:worker_threads';
const file = (name) => new URL('./' + name, import.meta.url);
const who = process.pid + '-' + threadId;
const answered = () => {
  try {
    return readFileSync(file('asked'), 'utf8');
  } catch {
    return '';
  }
};
setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');
let last = answered();
writeFileSync(file('thread-' + who), '');
setInterval(() => {
  const asked = answered();
  if (asked === last) return;
  last = asked;
  // What is freed by finalizers, as native memory of buffers is, is gone with the second.
  gc();
  gc();
  const { heapUsed, external } = process.memoryUsage();
  writeFileSync(file('writing-' + who), String(heapUsed + external));
  renameSync(file('writing-' + who), file('held-' + who + '-' + asked));
}, 20).unref();
`;
