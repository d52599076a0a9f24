/** Runs work a moment after it was first asked for, once however often it is asked for until then. */
export class Soon {
  readonly #work: () => void;
  readonly #waitMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(work: () => void, waitMs: number) {
    this.#work = work;
    this.#waitMs = waitMs;
  }

  ask(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#work();
    }, this.#waitMs);
  }

  /** What was asked for and has not run does not run any more. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
