import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { hasRegistryChange, lastRegistryChange, readRegistryStream } from '../registry/registry-stream.ts';

const LOOK_MS = 250;
const ROWS_AT_ONCE = 1_000;

/** Told of what changes in the registry. */
export interface RegistryWatcher {
  forget(device: string): void;
  /** After `forget`: there is no such device any more. */
  removed(device: string): void;
  /** Groups have moved, or changes were missed. */
  clear(): void;
}

/** Looks at the stream of the registry's changes, from now on, for those that keep what they have read of it. */
export class RegistryWatch implements AsyncDisposable {
  readonly #registry: Database;
  readonly #watcher: RegistryWatcher;
  readonly #clock: Clock;
  readonly #logLines: LogLines;
  #position = 0;
  #cancel: (() => void) | undefined;
  #looking: Promise<void> | undefined;
  #isClosed = false;

  constructor(dependencies: {
    readonly registry: Database;
    readonly watcher: RegistryWatcher;
    readonly clock: Clock;
    readonly logLines: LogLines;
  }) {
    this.#registry = dependencies.registry;
    this.#watcher = dependencies.watcher;
    this.#clock = dependencies.clock;
    this.#logLines = dependencies.logLines;
  }

  async start(): Promise<void> {
    this.#position = await lastRegistryChange(this.#registry);
    this.#later();
  }

  /** Reads what there is now. */
  async look(): Promise<void> {
    // What was trimmed meanwhile was never seen here.
    if (this.#position > 0 && !(await hasRegistryChange(this.#registry, this.#position))) {
      this.#position = await lastRegistryChange(this.#registry);
      this.#watcher.clear();
      return;
    }
    for (;;) {
      const rows = await readRegistryStream(this.#registry, this.#position, ROWS_AT_ONCE);
      for (const { kind, subject } of rows) {
        if (kind === 'group') this.#watcher.clear();
        else this.#watcher.forget(subject);
        if (kind === 'removed') this.#watcher.removed(subject);
      }
      this.#position = rows.at(-1)?.sequence ?? this.#position;
      if (rows.length < ROWS_AT_ONCE) return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#cancel?.();
    await this.#looking;
  }

  #later(): void {
    if (this.#isClosed) return;
    this.#cancel = this.#clock.after(LOOK_MS, () => {
      this.#looking = this.look()
        .catch((error: unknown) => {
          this.#logLines.warn({ err: error }, 'Changes of the registry could not be read by the forwarders; they are read later');
        })
        .then(() => this.#later());
    });
  }
}
