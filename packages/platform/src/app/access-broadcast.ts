import type { LogLines } from '../kernel/log-lines.ts';

/** A thread whose clients' access can be looked at anew. */
export interface AccessThread {
  accessChanged(devices: readonly string[] | 'all'): Promise<void>;
}

/** More than so many devices at once are told as `all`. */
const MAX_NAMED = 5_000;

/**
 * Tells the gateway threads that what devices may do has changed in the database. Changes that come while they are being told are told
 * together afterwards: a storm of changes costs no more than one after the other.
 */
export class AccessBroadcast {
  readonly #logLines: LogLines;
  #threads: readonly AccessThread[] = [];
  #waiting: Set<string> | 'all' | undefined;
  #telling: Promise<void> | undefined;

  constructor(logLines: LogLines) {
    this.#logLines = logLines;
  }

  /** From now on these are told. */
  attach(threads: readonly AccessThread[]): void {
    this.#threads = threads;
  }

  /** To be called after the change was committed. */
  readonly changed = (devices: readonly string[] | 'all'): void => {
    if (devices === 'all' || this.#waiting === 'all') this.#waiting = 'all';
    else {
      this.#waiting ??= new Set();
      for (const device of devices) this.#waiting.add(device);
      if (this.#waiting.size > MAX_NAMED) this.#waiting = 'all';
    }
    this.#telling ??= this.#tell();
  };

  /** Resolves once all that was changed until now is heeded by every connection. */
  async settled(): Promise<void> {
    while (this.#telling !== undefined) await this.#telling;
  }

  async #tell(): Promise<void> {
    while (this.#waiting !== undefined) {
      const devices = this.#waiting === 'all' ? 'all' : [...this.#waiting];
      this.#waiting = undefined;
      const told = await Promise.allSettled(this.#threads.map(async (thread) => await thread.accessChanged(devices)));
      for (const result of told) {
        // Its next CONNECT looks at the database all the same.
        if (result.status === 'rejected')
          this.#logLines.error({ err: result.reason as unknown }, 'a gateway thread could not be told that access has changed');
      }
    }
    // In the same turn as the last look: what comes after it is told by the next one.
    this.#telling = undefined;
  }
}
