/** Points in a block; a power of two. */
export const BLOCK_POINTS = 16;
export const BLOCK_SHIFT = 4;

/**
 * Room for all points in memory, in blocks of 16 that are chained: a buffer of few points costs little, one of many
 * needs no copying, and nothing of it is an object that the garbage collector must follow.
 *
 * A point's place is `block * 16 + index`. Taken in order and returned last-in first-out, so that pages of memory which
 * were never needed are never touched.
 */
export class PointArena {
  /** Milliseconds since the midnight (UTC) of the point's day. */
  readonly times: Uint32Array;
  readonly values: Float64Array;
  readonly #next: Int32Array;
  readonly blocks: number;
  #free = -1;
  #untouched = 0;
  #taken = 0;

  constructor(capacityPoints: number) {
    this.blocks = Math.ceil(capacityPoints / BLOCK_POINTS);
    this.times = new Uint32Array(this.blocks * BLOCK_POINTS);
    this.values = new Float64Array(this.blocks * BLOCK_POINTS);
    this.#next = new Int32Array(this.blocks);
  }

  get freeBlocks(): number {
    return this.blocks - this.#taken;
  }

  /** A block that ends a chain. The caller has made sure that one is free. */
  take(): number {
    let block = this.#free;
    if (block !== -1) this.#free = this.#next[block]!;
    else block = this.#untouched++;
    if (block >= this.blocks) throw new RangeError('the point arena is exhausted');
    this.#next[block] = -1;
    this.#taken++;
    return block;
  }

  link(block: number, next: number): void {
    this.#next[block] = next;
  }

  next(block: number): number {
    return this.#next[block]!;
  }

  /** Returns a whole chain. */
  give(head: number): void {
    let last = head;
    this.#taken--;
    for (let next = this.#next[last]!; next !== -1; next = this.#next[last]!) {
      last = next;
      this.#taken--;
    }
    this.#next[last] = this.#free;
    this.#free = head;
  }
}
