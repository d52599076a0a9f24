import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../kernel/clock.ts';
import { isSelsynError } from '../kernel/errors.ts';
import type { Log, LogReader, Offset, PartitionId, RecordBatch } from '../log/log.ts';
import type { Delivery, OutgoingRecord } from './delivery.ts';
import type { DeviceJudge } from './device-judge.ts';
import type { BatchSettings } from './forwarder.ts';
import type { RecordFilter } from './record-filter.ts';
import type { SampleReader } from './samples.ts';

export interface LaneOptions {
  readonly log: Log;
  readonly partition: PartitionId;
  readonly batch: BatchSettings;
  readonly filter: RecordFilter;
  /** Undefined: nothing is asked about devices. */
  readonly judge: DeviceJudge | undefined;
  /** Undefined: payloads go as they are. */
  readonly samples: SampleReader | undefined;
  readonly clock: Clock;
  /** The log had let go of so many records before they were read. */
  readonly onSkipped: (records: number) => void;
}

/** Records that are looked at before a delivery without any of them counts as one. */
const MAX_LOOKED_AT = 50_000;
/** Looked at before others have their turn. */
const SLICE = 2_000;
/** A delivery is full with so many, as many as a message may have: what is packed or compressed has many more than its bytes tell. */
const MAX_POINTS = 100_000;

/** A delivery that is being gathered. */
interface Draft {
  readonly records: OutgoingRecord[];
  sizeBytes: number;
  /** Of samples. */
  points: number;
  lookedAt: number;
  filtered: number;
  undecodable: number;
}

/** The records of one partition for one forwarder, in deliveries. */
export class Lane implements AsyncDisposable {
  readonly #options: LaneOptions;
  #reader: LogReader | undefined;
  /** Belongs to the reader; looked at up to #index. */
  #batch: RecordBatch | undefined;
  #index = 0;
  /** Everything before was in a delivery that `gather` has returned. */
  #gathered: number;

  constructor(options: LaneOptions, from: number) {
    this.#options = options;
    this.#gathered = from;
  }

  get partition(): PartitionId {
    return this.#options.partition;
  }

  /**
   * The next records, once there are some: as many as a delivery may have, or those that came within the linger time of the first. Also
   * without any, where the filter has left out all that there was. One call at a time; after one that failed the next begins where that
   * had begun.
   *
   * @throws what the log throws, and the signal's reason
   */
  async gather(signal: AbortSignal): Promise<Delivery> {
    try {
      return await this.#gather(signal);
    } catch (error) {
      await this.#close();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async #gather(signal: AbortSignal): Promise<Delivery> {
    const { batch: bounds, clock, partition, log } = this.#options;
    const draft: Draft = { records: [], sizeBytes: 0, points: 0, lookedAt: 0, filtered: 0, undecodable: 0 };
    let sinceMs = 0;
    let position = this.#gathered;
    for (;;) {
      signal.throwIfAborted();
      const current = await this.#current();
      if (current === undefined) {
        const leftMs = draft.records.length === 0 ? undefined : bounds.lingerMs - (clock.monotonicMs() - sinceMs);
        if (draft.lookedAt > 0 && (leftMs === undefined || leftMs <= 0)) break;
        await this.#wait(signal, leftMs);
        continue;
      }
      if (draft.records.length === 0) sinceMs = clock.monotonicMs();
      await this.#take(current, draft);
      position = this.#index === current.count ? current.nextOffset : current.firstOffset + this.#index;
      if (isFull(draft, bounds) || draft.lookedAt >= MAX_LOOKED_AT) break;
      if (draft.lookedAt % SLICE < current.count) await nextTurn();
    }
    const { records, sizeBytes, filtered, undecodable } = draft;
    const key = `${log.identity.slice(0, 8)}-${partition}-${records[0]?.offset ?? this.#gathered}-${position}`;
    this.#gathered = position;
    return { key, partition, nextOffset: position, records, sizeBytes, filtered, undecodable };
  }

  /** The batch that is looked at, with something left in it; undefined: there is no more for now. */
  async #current(): Promise<RecordBatch | undefined> {
    if (this.#batch !== undefined && this.#index < this.#batch.count) return this.#batch;
    const reader = this.#reader ?? (await this.#open());
    try {
      this.#batch = reader.read();
    } catch (error) {
      if (!isSelsynError(error, 'log.offset-gone')) throw error;
      const before = reader.position;
      await this.#close();
      this.#batch = (await this.#open(before)).read();
    }
    this.#index = 0;
    return this.#batch;
  }

  async #open(from = this.#gathered): Promise<LogReader> {
    const { log, partition, onSkipped } = this.#options;
    const reader = await log.openReader(partition, from as Offset);
    this.#reader = reader;
    if (reader.position > from) onSkipped(reader.position - from);
    return reader;
  }

  async #close(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    this.#batch = undefined;
    await reader?.[Symbol.asyncDispose]();
  }

  async #wait(signal: AbortSignal, forMs: number | undefined): Promise<void> {
    const either = new AbortController();
    const stop = (): void => either.abort();
    signal.addEventListener('abort', stop, { once: true });
    const cancel = forMs === undefined ? undefined : this.#options.clock.after(forMs, stop);
    try {
      await this.#reader?.wait(either.signal);
    } finally {
      cancel?.();
      signal.removeEventListener('abort', stop);
    }
  }

  /** Looks at records until the delivery is full, or a slice is over. Moves #index. */
  async #take(batch: RecordBatch, draft: Draft): Promise<void> {
    const { filter, judge, samples, batch: bounds } = this.#options;
    const from = this.#index;
    const upTo = Math.min(batch.count, from + Math.min(SLICE, bounds.maxRecords));
    const asked = judge === undefined ? undefined : await this.#ask(judge, batch, from, upTo);
    samples?.follow();
    let index = from;
    for (; index < upTo; index++) {
      if (isFull(draft, bounds)) break;
      draft.lookedAt++;
      const { device, topic } = batch.sources[batch.sourceIndex[index]!]!;
      const isWanted = judge === undefined || (asked?.get(device) ?? judge.known(device)) !== false;
      if (!isWanted || !filter.passes(device, topic)) {
        draft.filtered++;
        continue;
      }
      // A copy: the reader uses its buffer again.
      const payload = Buffer.from(batch.data.subarray(batch.starts[index], batch.ends[index]));
      const record = {
        partition: batch.partition,
        offset: batch.firstOffset + index,
        arrivalMs: batch.arrivalMs,
        device,
        topic,
        payload,
      };
      if (samples === undefined) draft.records.push(record);
      else {
        const read = samples.read(record);
        const wanted = read === undefined ? [] : filter.only(read);
        if (read === undefined) draft.undecodable++;
        else if (wanted.length === 0) draft.filtered++;
        if (wanted.length === 0) continue;
        draft.records.push({ ...record, samples: wanted });
        for (const { values } of wanted) draft.points += Object.keys(values).length;
      }
      draft.sizeBytes += payload.length;
    }
    this.#index = index;
  }

  /** Judges those devices of a slice of which nothing is known. */
  async #ask(
    judge: DeviceJudge,
    batch: RecordBatch,
    from: number,
    upTo: number,
  ): Promise<ReadonlyMap<string, boolean> | undefined> {
    judge.refresh();
    const { filter } = this.#options;
    const unknown = new Set<string>();
    for (let index = from; index < upTo; index++) {
      const { device, topic } = batch.sources[batch.sourceIndex[index]!]!;
      if (!unknown.has(device) && judge.known(device) === undefined && filter.passes(device, topic)) unknown.add(device);
    }
    return unknown.size === 0 ? undefined : await judge.ask(unknown);
  }
}

function isFull({ records, sizeBytes, points }: Draft, { maxRecords, maxBytes }: BatchSettings): boolean {
  return records.length >= maxRecords || sizeBytes >= maxBytes || points >= MAX_POINTS;
}
