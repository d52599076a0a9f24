import { isDeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import { RecordSource } from '../log/log.ts';
import type { PointBatch } from './point-batch.ts';
import { POINT_TOPIC_PREFIX } from './point-intake.ts';

/** The one that writes the partition of this thread. */
export interface RecordAppending {
  /** Copies a record and returns its ticket. @throws SelsynError when it cannot be taken */
  append(source: RecordSource, data: Uint8Array, start: number, end: number): number;
  /** Resolves once the records of these tickets are durable. @throws SelsynError when one of them never will be */
  durable(first: number, last: number): Promise<void>;
}

/** Bytes that are in the log's memory at once: connections of devices share it, and must not wait for a large import. */
const WINDOW_BYTES = 4 * 1024 * 1024;
const SLICE_BYTES = 512 * 1024;
const MAX_SOURCES = 50_000;

/** A gateway thread's end of the way of points to the log. */
export class AppendPoints {
  readonly #appending: RecordAppending;
  readonly #sources = new Map<string, RecordSource>();
  /** Batches are added one after the other, in the order in which they came. */
  #turn: Promise<void> = Promise.resolve();
  #windowBytes = 0;
  #whenSettled = Promise.withResolvers<void>();

  constructor(appending: RecordAppending) {
    this.#appending = appending;
  }

  /** Resolves once all records are durable. @throws SelsynError when some are not; others may be */
  async append(batch: PointBatch): Promise<void> {
    const slices: Promise<void>[] = [];
    const before = this.#turn;
    const turn = Promise.withResolvers<void>();
    this.#turn = turn.promise;
    try {
      await before;
      for (let record = 0; record < batch.ends.length;) {
        while (this.#windowBytes >= WINDOW_BYTES) await this.#whenSettled.promise;
        const next = this.#endOfSlice(batch, record);
        const settled = this.#addSlice(batch, record, next);
        slices.push(settled);
        // Looked at below, after what may take a while.
        settled.catch(() => undefined);
        record = next;
      }
    } finally {
      turn.resolve();
    }
    await Promise.all(slices);
  }

  #endOfSlice({ ends }: PointBatch, record: number): number {
    const limit = (ends[record - 1] ?? 0) + SLICE_BYTES;
    let next = record + 1;
    while (next < ends.length && ends[next]! <= limit) next++;
    return next;
  }

  async #addSlice({ devices, deviceIndex, data, ends }: PointBatch, from: number, to: number): Promise<void> {
    let start = ends[from - 1] ?? 0;
    const bytes = ends[to - 1]! - start;
    let first = 0;
    let last = 0;
    for (let record = from; record < to; record++) {
      const end = ends[record]!;
      const source = this.#sourceOf(devices[deviceIndex[record]!]!);
      last = this.#appending.append(source, data, start, end);
      if (record === from) first = last;
      start = end;
    }
    this.#windowBytes += bytes;
    try {
      await this.#appending.durable(first, last);
    } finally {
      this.#windowBytes -= bytes;
      this.#whenSettled.resolve();
      this.#whenSettled = Promise.withResolvers();
    }
  }

  /** The same object each time: the log keeps on it what it worked out. */
  #sourceOf(device: string): RecordSource {
    let source = this.#sources.get(device);
    if (source === undefined) {
      if (!isDeviceId(device)) throw new SelsynError('device.invalid-id', 'a batch of points names no device');
      if (this.#sources.size >= MAX_SOURCES) this.#sources.clear();
      source = new RecordSource(device, POINT_TOPIC_PREFIX + device);
      this.#sources.set(device, source);
    }
    return source;
  }
}
