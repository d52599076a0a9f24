import type { DeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import {
  RecordSource,
  type Appender,
  type Log,
  type LogReader,
  type Offset,
  type PartitionId,
  type RecordBatch,
} from '../log/log.ts';

interface FakeBatch {
  readonly firstOffset: number;
  readonly arrivalMs: number;
  readonly records: readonly { readonly source: RecordSource; readonly data: Uint8Array }[];
}

/** A log in memory, for tests: it is what survives while the store's process is killed and started again. */
export class FakeLog implements Log {
  identity: string;
  readonly partitions: readonly PartitionId[];
  readonly #batches: FakeBatch[][];
  readonly #ends: number[];
  readonly #sources = new Map<string, RecordSource>();
  /** What each partition was told that it may drop. */
  readonly released: number[];
  #waiting: (() => void)[] = [];

  constructor(partitions: number, identity = 'log-1') {
    this.identity = identity;
    this.partitions = Array.from({ length: partitions }, (_, partition) => partition as PartitionId);
    this.#batches = this.partitions.map(() => []);
    this.#ends = this.partitions.map(() => 0);
    this.released = this.partitions.map(() => 0);
  }

  /** Appends records as one batch. */
  append(partition: number, arrivalMs: number, records: readonly (readonly [device: string, payload: unknown])[]): void {
    const firstOffset = this.#ends[partition]!;
    const batch = records.map(([device, payload]) => ({ source: this.#source(device), data: encode(payload) }));
    this.#batches[partition]!.push({ firstOffset, arrivalMs, records: batch });
    this.#ends[partition] = firstOffset + records.length;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Takes back the newest records, as a power loss does where the log is not synced. */
  cut(partition: number, end: number): void {
    const batches = this.#batches[partition]!;
    while (batches.length > 0 && batches.at(-1)!.firstOffset + batches.at(-1)!.records.length > end) batches.pop();
    const last = batches.at(-1);
    this.#ends[partition] = last === undefined ? 0 : last.firstOffset + last.records.length;
    this.released[partition] = Math.min(this.released[partition]!, this.#ends[partition]);
  }

  end(partition: number): number {
    return this.#ends[partition]!;
  }

  openAppender(): Promise<Appender> {
    return Promise.reject(new SelsynError('internal', 'a fake log is appended to by the test itself'));
  }

  openReader(partition: PartitionId, from: Offset): Promise<LogReader> {
    return Promise.resolve(new FakeReader(this.#batches[partition]!, partition, from, (wake) => this.#waiting.push(wake)));
  }

  oldest(): Promise<Offset> {
    return Promise.resolve(0 as Offset);
  }

  release(partition: PartitionId, before: Offset): Promise<void> {
    // A real log may have dropped them.
    if (before < this.released[partition]!) throw new SelsynError('internal', 'records that were released are wanted back');
    this.released[partition] = before;
    return Promise.resolve();
  }

  hold(): void {
    // Nothing is ever dropped here.
  }

  bytesFrom(): Promise<number> {
    return Promise.resolve(0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  #source(device: string): RecordSource {
    let source = this.#sources.get(device);
    if (source === undefined) this.#sources.set(device, (source = new RecordSource(device as DeviceId, `telemetry/${device}`)));
    return source;
  }
}

class FakeReader implements LogReader {
  readonly #batches: readonly FakeBatch[];
  readonly #partition: PartitionId;
  readonly #onWait: (wake: () => void) => void;
  #position: number;

  constructor(batches: readonly FakeBatch[], partition: PartitionId, from: number, onWait: (wake: () => void) => void) {
    this.#batches = batches;
    this.#partition = partition;
    this.#position = from;
    this.#onWait = onWait;
  }

  get position(): Offset {
    return this.#position as Offset;
  }

  get end(): Offset {
    const last = this.#batches.at(-1);
    return (last === undefined ? 0 : last.firstOffset + last.records.length) as Offset;
  }

  read(): RecordBatch | undefined {
    const found = this.#batches.findLast(({ firstOffset }) => firstOffset <= this.#position);
    if (found === undefined || this.#position >= this.end) return undefined;
    const records = found.records.slice(this.#position - found.firstOffset);
    const firstOffset = this.#position as Offset;
    this.#position += records.length;
    const sources = [...new Set(records.map(({ source }) => source))];
    const lengths = records.map(({ data }) => data.length);
    const ends = Uint32Array.from(lengths, (_, index) => lengths.slice(0, index + 1).reduce((sum, length) => sum + length, 0));
    return {
      partition: this.#partition,
      firstOffset,
      nextOffset: this.#position as Offset,
      arrivalMs: found.arrivalMs,
      count: records.length,
      sources,
      sourceIndex: Uint32Array.from(records, ({ source }) => sources.indexOf(source)),
      data: Buffer.concat(records.map(({ data }) => data)),
      starts: ends.map((end, index) => end - lengths[index]!),
      ends,
    };
  }

  wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onWait(resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
    return promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

function encode(payload: unknown): Uint8Array {
  if (payload instanceof Uint8Array) return payload;
  return new TextEncoder().encode(typeof payload === 'string' ? payload : JSON.stringify(payload));
}
