import { newQuickJSWASMModule, type QuickJSWASMModule } from 'quickjs-emscripten';
import type { Clock } from '../kernel/clock.ts';
import { isSelsynError, SelsynError } from '../kernel/errors.ts';
import { HardDeadline } from './hard-deadline.ts';
import { LoadedScript } from './loaded-script.ts';
import { SANDBOX_LIMITS, type SandboxLimits } from './sandbox-limits.ts';
import { overLimit } from './script-errors.ts';
import type { UserScript } from './user-script.ts';

export interface SandboxOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly limits?: Partial<SandboxLimits>;
}

/** Scripts that are kept loaded; the one that was not called for longest goes. Each has its own share of memory. */
const MAX_LOADED = 16;
/** A script that runs over its limits so often in a row is not run for a while: each time costs all of its time. */
const MAX_STRIKES = 3;
const SUSPENDED_MS = 60_000;
/** What QuickJS does within one of its own functions (a search in an array of 4 billion) it does not interrupt. */
const HARD_FACTOR = 6;

/**
 * Runs JavaScript of users in QuickJS, an interpreter inside of WebAssembly: nothing of this process can be reached from there.
 *
 * A call is synchronous within the thread and takes at most `timeMs`, in the worst case six times that. JSON in, JSON out. A first
 * call of a script costs about a millisecond, each other one some 60 µs and what the script does.
 */
export class Sandbox implements AsyncDisposable {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #limits: SandboxLimits;
  readonly #hardDeadline = new HardDeadline();
  readonly #loaded = new Map<string, LoadedScript>();
  readonly #strikes = new Map<string, { count: number; untilMs: number }>();
  #opening: Promise<void> | undefined;
  #module: QuickJSWASMModule | undefined;

  constructor({ clock, limits }: SandboxOptions) {
    this.#clock = clock;
    this.#limits = { ...SANDBOX_LIMITS, ...limits };
  }

  /**
   * Calls the function of a script.
   *
   * @param input what JSON can hold.
   * @returns what the function returned, as JSON holds it: parsed from text, so an object may have a field of any name.
   * @throws SelsynError `script.invalid`, `script.failed`, `script.over-limit`; where it is known with `details` { line, column }
   */
  async call(script: UserScript, input: unknown): Promise<unknown> {
    const given = JSON.stringify(input);
    if (Buffer.byteLength(given) > this.#limits.inputBytes) {
      throw overLimit(`the script is given more than ${this.#limits.inputBytes} bytes`);
    }
    const key = `${script.functionName}\n${script.source}`;
    this.#ensureNotSuspended(key);
    while (this.#module === undefined) await this.#open();
    const module = this.#module;
    const answer = this.#guarded(key, () => {
      const loaded = this.#load(module, key, script);
      try {
        return loaded.call(given);
      } finally {
        // What waits to run must not run within the next call.
        if (loaded.hasPendingJob) this.#unload(key);
      }
    });
    if (Buffer.byteLength(answer) > this.#limits.outputBytes) {
      throw overLimit(`the function returned more than ${this.#limits.outputBytes} bytes`);
    }
    return JSON.parse(answer) as unknown;
  }

  /** Whether a script can be loaded and has the function. @throws SelsynError `script.invalid`, `script.over-limit` */
  async check(script: UserScript): Promise<void> {
    if (Buffer.byteLength(script.source) > this.#limits.sourceBytes) {
      throw new SelsynError('script.invalid', `a script has at most ${this.#limits.sourceBytes} bytes`);
    }
    while (this.#module === undefined) await this.#open();
    const module = this.#module;
    const key = `${script.functionName}\n${script.source}`;
    this.#guarded(key, () => void this.#load(module, key, script));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const key of this.#loaded.keys()) this.#unload(key);
    this.#module = undefined;
    await this.#opening;
  }

  /** Another call may stop the interpreter before the one that waits here goes on: who waits looks again. */
  async #open(): Promise<void> {
    this.#opening ??= newQuickJSWASMModule().then((module) => {
      this.#module = module;
      this.#opening = undefined;
    });
    await this.#opening;
  }

  #load(module: QuickJSWASMModule, key: string, script: UserScript): LoadedScript {
    const known = this.#loaded.get(key);
    this.#loaded.delete(key);
    if (known !== undefined) {
      this.#loaded.set(key, known);
      return known;
    }
    if (Buffer.byteLength(script.source) > this.#limits.sourceBytes) {
      throw new SelsynError('script.invalid', `a script has at most ${this.#limits.sourceBytes} bytes`);
    }
    const [oldest] = this.#loaded.keys();
    if (oldest !== undefined && this.#loaded.size >= MAX_LOADED) this.#unload(oldest);
    const loaded = new LoadedScript(module, this.#limits, () => this.#clock.monotonicMs());
    try {
      loaded.load(script);
    } catch (error) {
      loaded.dispose();
      throw error;
    }
    this.#loaded.set(key, loaded);
    return loaded;
  }

  #unload(key: string): void {
    this.#loaded.get(key)?.dispose();
    this.#loaded.delete(key);
  }

  #guarded<T>(key: string, work: () => T): T {
    try {
      const done = this.#hardDeadline.run(work, this.#limits.timeMs * HARD_FACTOR);
      if (done === undefined) throw overLimit('the script took too long');
      this.#strikes.delete(key);
      return done.result;
    } catch (error) {
      if (isSelsynError(error) && error.code !== 'script.over-limit') throw error;
      // The interpreter was stopped in the middle of something, or had no memory for it: it cannot be used on, nor cleaned up.
      this.#module = undefined;
      this.#loaded.clear();
      this.#strike(key);
      throw isSelsynError(error) ? error : overLimit('the script broke the interpreter', { reason: String(error) });
    }
  }

  #strike(key: string): void {
    const count = (this.#strikes.get(key)?.count ?? 0) + 1;
    this.#strikes.delete(key);
    this.#strikes.set(key, { count, untilMs: count < MAX_STRIKES ? 0 : this.#clock.monotonicMs() + SUSPENDED_MS });
    const [oldest] = this.#strikes.keys();
    if (oldest !== undefined && this.#strikes.size > MAX_LOADED) this.#strikes.delete(oldest);
  }

  #ensureNotSuspended(key: string): void {
    const untilMs = this.#strikes.get(key)?.untilMs ?? 0;
    if (untilMs <= this.#clock.monotonicMs()) return;
    throw overLimit('the script ran over its limits several times in a row: it is not run for a minute');
  }
}
