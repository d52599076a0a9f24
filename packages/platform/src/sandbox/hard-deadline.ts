import { createContext, Script } from 'node:vm';

/**
 * Runs synchronous work of ours that may not come back, as a loop inside of WebAssembly, and ends it after a time: the watchdog of
 * node:vm interrupts the thread itself. Some 50 µs a run.
 */
export class HardDeadline {
  readonly #context = createContext({ work: undefined }) as { work: (() => void) | undefined };
  readonly #script = new Script('work()');

  /** @returns undefined where it was ended: whatever it was changing is half changed. */
  run<T>(work: () => T, timeoutMs: number): { readonly result: T } | undefined {
    const done: { result: T }[] = [];
    this.#context.work = () => void done.push({ result: work() });
    try {
      this.#script.runInContext(this.#context, { timeout: timeoutMs });
    } catch (error) {
      if (isTimeout(error)) return undefined;
      throw error;
    } finally {
      this.#context.work = undefined;
    }
    return done[0];
  }
}

/** It is of the context, not an Error of ours. */
function isTimeout(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}
