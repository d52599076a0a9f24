/**
 * Many things that each have one time at which something is due: to the second, never early, however far away.
 *
 * ```
 *   heap of seconds    17 ─ 40 ─ 23 …         which second is next
 *   rings by second    17 → a ⇄ b ⇄ c ⇄ (a)   what is due in it, the first added first
 *   places by item     a → its link in the ring
 * ```
 * `add` and `remove` are O(1), but for the first of a second, which is O(log of the seconds). Invariants: each item stands in one
 * ring; no ring is empty; each second in `rings` is in the heap, once; the heap has at most as many others, which have no ring any
 * more, and {@link MIN_STALE}.
 */
export class Deadlines<T> {
  readonly #places = new Map<T, Link<T>>();
  readonly #rings = new Map<number, Link<T>>();
  /** A binary heap: the least first, each not greater than its two children at 2i + 1 and 2i + 2. */
  #heap: number[] = [];
  /** Seconds in the heap that have no ring. */
  readonly #stale = new Set<number>();

  get size(): number {
    return this.#places.size;
  }

  /** The time from which `due` has something to give; Infinity where there is nothing. */
  get nextMs(): number {
    for (let second = this.#heap[0]; second !== undefined && this.#stale.delete(second); second = this.#heap[0]) this.#pop();
    const second = this.#heap[0];
    return second === undefined ? Infinity : second * 1_000;
  }

  /**
   * Adds an item, or gives it another time.
   * @param atMs by the clock that `due` is asked with, whose times are not negative.
   */
  add(item: T, atMs: number): void {
    this.remove(item);
    // Whatever is long past is due in one second, not in many.
    const second = Math.max(Math.ceil(atMs / 1_000), 0);
    const link = new Link(item, second);
    this.#places.set(item, link);
    const first = this.#rings.get(second);
    if (first !== undefined) {
      link.before(first);
      return;
    }
    this.#rings.set(second, link);
    if (!this.#stale.delete(second)) this.#push(second);
  }

  /** False where there is no such item: it never was, was removed, or was due. */
  remove(item: T): boolean {
    const link = this.#places.get(item);
    if (link === undefined) return false;
    this.#places.delete(item);
    const { second, next } = link;
    if (next === link) {
      this.#rings.delete(second);
      this.#stale.add(second);
      if (this.#stale.size > this.#rings.size + MIN_STALE) this.#rebuild();
    } else {
      link.leave();
      if (this.#rings.get(second) === link) this.#rings.set(second, next);
    }
    return true;
  }

  /**
   * Gives out what is due, by its second and then in the order in which it was added, `limit` items at most. `take` may add and
   * remove.
   * @returns true where more is due: to be called again, when others have had their turn.
   */
  due(nowMs: number, take: (item: T) => void, limit = 1_000): boolean {
    for (let given = 0; nowMs >= this.nextMs; given++) {
      if (given === limit) return true;
      const { item } = this.#rings.get(this.#heap[0] as number) as Link<T>; // nextMs has found them
      this.remove(item);
      take(item);
    }
    return false;
  }

  #rebuild(): void {
    this.#stale.clear();
    // What ascends is a heap.
    this.#heap = [...this.#rings.keys()].sort((a, b) => a - b);
  }

  #push(second: number): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(second);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as number; // within the heap, as all that is read below
      if (above <= second) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = second;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    const { length } = heap;
    if (last === undefined || length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && (heap[child + 1] as number) < (heap[child] as number)) child++;
      const below = heap[child] as number;
      if (below >= last) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}

/** Seconds that may lie in the heap for nothing, besides as many as have a use. */
const MIN_STALE = 64;

/** A place in a ring; alone, it is its own neighbour. */
class Link<T> {
  readonly item: T;
  readonly second: number;
  next: Link<T> = this;
  previous: Link<T> = this;

  constructor(item: T, second: number) {
    this.item = item;
    this.second = second;
  }

  /** Joins the ring of `other`, before it: where `other` is the first, as the last. */
  before(other: Link<T>): void {
    this.next = other;
    this.previous = other.previous;
    this.previous.next = this;
    other.previous = this;
  }

  leave(): void {
    this.next.previous = this.previous;
    this.previous.next = this.next;
  }
}
