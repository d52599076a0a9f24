/** Works that exclude one another, in the order in which they came. Who waits is bounded by who calls: a handful. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  async take<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work);
    this.#last = turn.catch(() => undefined);
    return await turn;
  }

  /** Resolves when all that came before is done. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
