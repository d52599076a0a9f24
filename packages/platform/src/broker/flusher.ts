/** What gathers output during a turn of the event loop. */
export interface Flushable {
  flush(): void;
}

/**
 * Writes at the end of the turn what was gathered in it: one write for each connection, however many sockets were read and
 * messages sent in that turn.
 */
export class Flusher {
  #waiting: Flushable[] = [];
  #scheduled = false;
  readonly #run = (): void => this.flush();

  /** Called once for each flushable that has something to write; its `flush` takes it off again. */
  add(flushable: Flushable): void {
    this.#waiting.push(flushable);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#run);
  }

  flush(): void {
    this.#scheduled = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const flushable of waiting) flushable.flush();
  }
}
