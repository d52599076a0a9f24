import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { onAbruptEnd } from './exit-cleanup.ts';

/** A load generator written for Node, which says `ready`, waits for a word, and answers with one line of JSON. */
export class NodeLoad<R> implements Disposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: Interface;
  readonly #forget: () => void;

  private constructor(program: string, options: object) {
    const path = join(import.meta.dirname, `${program}.ts`);
    this.#child = spawn(process.execPath, [path, JSON.stringify(options)], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface(this.#child.stdout);
    this.#forget = onAbruptEnd(() => this.#child.kill('SIGKILL'));
  }

  /** Resolves once it is ready. @throws Error when it ends before */
  static async start<R>(program: string, options: object): Promise<NodeLoad<R>> {
    const load = new NodeLoad<R>(program, options);
    await load.#line();
    return load;
  }

  /** Says the word and waits for what it has to tell. */
  async result(): Promise<R> {
    const line = this.#line();
    this.#child.stdin.write('go\n');
    return JSON.parse(await line) as R;
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
    this.#forget();
  }

  async #line(): Promise<string> {
    const ended = once(this.#child, 'close').then(() => {
      throw new Error('a load generator ended before it had answered');
    });
    ended.catch(() => undefined);
    const [line] = (await Promise.race([once(this.#lines, 'line'), ended])) as [string];
    return line;
  }
}
