import { SelsynError } from '../../../kernel/errors.ts';

/** More partitions than this are not opened: a thread has one, and so has each thread that an earlier start had. */
const MAX_PARTITIONS = 256;
const FIELDS = 8;

const READY = 0;
const PARTITIONS = 1;
const REFUSING = 2;

const END = 0;
const GENERATION = 1;
const ACTIVE = 2;
const TAIL = 3;
const WRITER = 4;
const HELD = 5;

/**
 * Memory through which the threads of one process share a disk log: make it once, hand it to every thread.
 *
 * @param partitions at least this many partitions are opened; partitions left by an earlier start come on top.
 */
export function newDiskLogShared(partitions: number): SharedArrayBuffer {
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > MAX_PARTITIONS) {
    throw new SelsynError('config.invalid', `a log has 1 to ${MAX_PARTITIONS} partitions`, { details: { partitions } });
  }
  const shared = new SharedArrayBuffer((MAX_PARTITIONS + 1) * FIELDS * 8);
  new BigInt64Array(shared)[PARTITIONS] = BigInt(partitions);
  return shared;
}

/** True once the owner has recovered the log and has filled in the positions. */
export function isReady(shared: SharedArrayBuffer): boolean {
  return Atomics.load(new BigInt64Array(shared), READY) === 1n;
}

export function markReady(shared: SharedArrayBuffer): void {
  Atomics.store(new BigInt64Array(shared), READY, 1n);
}

export function partitionCount(shared: SharedArrayBuffer): number {
  return Number(Atomics.load(new BigInt64Array(shared), PARTITIONS));
}

export function setPartitionCount(shared: SharedArrayBuffer, count: number): void {
  if (count > MAX_PARTITIONS)
    throw new SelsynError('config.invalid', `a log has at most ${MAX_PARTITIONS} partitions`, { details: { count } });
  Atomics.store(new BigInt64Array(shared), PARTITIONS, BigInt(count));
}

/** While it is set no thread appends: what comes is refused with `log.full`. */
export function setRefusing(shared: SharedArrayBuffer, refusing: boolean): void {
  Atomics.store(new BigInt64Array(shared), REFUSING, refusing ? 1n : 0n);
}

export function isRefusing(shared: SharedArrayBuffer): boolean {
  return Atomics.load(new BigInt64Array(shared), REFUSING) === 1n;
}

/**
 * Where one partition stands, written by its appender and read by every thread.
 *
 *   ┌──────────────┬────────────┬─────────────┬──────────────┬────────┬──────────────┐
 *   │ end          │ generation │ active      │ tail         │ writer │ held         │   i64 each, 8 fields a partition
 *   │ durable up   │ odd while  │ base of the │ durable      │ 0 or 1 │ 1 + offset,  │
 *   │ to here      │ it changes │ last segment│ bytes in it  │        │ 0: none      │
 *   └──────────────┴────────────┴─────────────┴──────────────┴────────┴──────────────┘
 *
 * A commit stores `tail`, then `end`. A roll makes `generation` odd, stores `active` and `tail`, and makes it even. So a
 * reader that loads `end` first, and sees the same even generation before and after it loads `tail`, has a tail that
 * covers all records before that end which are in the active segment.
 */
export class SharedPositions {
  readonly #fields: BigInt64Array;

  constructor(shared: SharedArrayBuffer, partition: number) {
    this.#fields = new BigInt64Array(shared, (partition + 1) * FIELDS * 8, FIELDS);
  }

  get end(): number {
    return Number(Atomics.load(this.#fields, END));
  }

  get generation(): number {
    return Number(Atomics.load(this.#fields, GENERATION));
  }

  /** The base offset of the segment that is written to. */
  get active(): number {
    return Number(Atomics.load(this.#fields, ACTIVE));
  }

  get tail(): number {
    return Number(Atomics.load(this.#fields, TAIL));
  }

  /** All up to `end`, `tail` bytes of the active segment, is durable. Wakes who waits. */
  commit(end: number, tail: number): void {
    Atomics.store(this.#fields, TAIL, BigInt(tail));
    Atomics.store(this.#fields, END, BigInt(end));
    Atomics.notify(this.#fields, END);
  }

  /** A new segment was begun. */
  roll(active: number, tail: number): void {
    Atomics.add(this.#fields, GENERATION, 1n);
    Atomics.store(this.#fields, ACTIVE, BigInt(active));
    Atomics.store(this.#fields, TAIL, BigInt(tail));
    Atomics.add(this.#fields, GENERATION, 1n);
  }

  /** False when there is a writer already. */
  claimWriter(): boolean {
    return Atomics.compareExchange(this.#fields, WRITER, 0n, 1n) === 0n;
  }

  /** Records from here on are held; Infinity: none are. */
  get held(): number {
    const held = Number(Atomics.load(this.#fields, HELD));
    return held === 0 ? Infinity : held - 1;
  }

  hold(from: number | undefined): void {
    Atomics.store(this.#fields, HELD, from === undefined ? 0n : BigInt(from) + 1n);
  }

  freeWriter(): void {
    Atomics.store(this.#fields, WRITER, 0n);
  }

  /** Resolves once the end is not `seen` any more, or after `timeoutMs`. */
  async changeOf(seen: number, timeoutMs: number): Promise<void> {
    const wait = Atomics.waitAsync(this.#fields, END, BigInt(seen), timeoutMs);
    if (wait.async) await wait.value;
  }
}
