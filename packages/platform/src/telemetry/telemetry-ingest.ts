import { setImmediate as nextTurn } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import { isSelsynError, SelsynError } from '../kernel/errors.ts';
import { serveCalls, Transfer } from '../kernel/thread-channel.ts';
import type { Log, LogReader, Offset, PartitionId, RecordBatch } from '../log/log.ts';
import type { Positions } from './consumed-steps.ts';
import type { HotCalls, HotRead, HotScanPage } from './hot-calls.ts';
import { HotScans } from './hot-scans.ts';
import { Maintenance } from './maintenance.ts';
import { TelemetryWriter, type TelemetryWriterOptions } from './telemetry-writer.ts';
import type { FlushAnswer, UpkeepStoreCalls } from './upkeep-calls.ts';
import { flushMemory } from './memory-flush.ts';

/** Records are consumed for so long before others have their turn. */
const SLICE_MS = 5;
/** A thread with nothing to do looks around so often. */
const IDLE_MS = 100;
/** After work the thread waits so long before it looks for more: fewer and fuller turns cost less. */
const LINGER_MS = 4;
const READ_RETRY_MS = 5000;

export interface TelemetryIngestOptions extends TelemetryWriterOptions {
  readonly log: Log;
  /** How often the log is told what it may drop. Each time syncs the files that were written to. Default 5 s. */
  readonly lowWaterEveryMs?: number;
  /** How long a stop may take to write what is in memory; the rest is read again from the log. Default 5 s. */
  readonly stopWithinMs?: number;
}

interface Source {
  readonly partition: PartitionId;
  readonly index: number;
  reader: LogReader;
  /** Belongs to the reader; consumed up to `next`. */
  batch: RecordBatch | undefined;
  next: number;
  waiting: boolean;
  retryAtMs: number;
}

/** Consumes the telemetry of all partitions of a log and answers what is in memory: the processor thread's work. */
export class TelemetryIngest implements AsyncDisposable {
  readonly writer: TelemetryWriter;
  readonly maintenance: Maintenance;
  /** Resolves once the log is replayed to the end that it had at the start; rejects when it is stopped before. */
  readonly whenReady: Promise<void>;
  readonly #options: TelemetryIngestOptions;
  readonly #ready = Promise.withResolvers<void>();
  readonly #stop = new AbortController();
  #sources: readonly Source[] = [];
  #starts: Positions = [];
  #ends: Positions = [];
  #isReady = false;
  #startedMs = 0;
  #running: Promise<void> | undefined;
  #wake: () => void = () => {};
  #lastArrivalMs = 0;
  readFailures = 0;

  constructor(options: TelemetryIngestOptions) {
    this.#options = options;
    const { clock, logLines } = options;
    this.writer = new TelemetryWriter(options);
    this.maintenance = new Maintenance({
      writer: this.writer,
      clock,
      logLines,
      lowWaterEveryMs: options.lowWaterEveryMs ?? 5000,
      onLowWater: (positions) => this.#release(positions),
    });
    this.whenReady = this.#ready.promise;
    // Whoever does not wait for it need not hear of it.
    this.whenReady.catch(() => {});
  }

  get ready(): boolean {
    return this.#isReady;
  }

  /** Of the records that were in the log at the start and not stored, the share that is consumed: 0 to 1. */
  get replayProgress(): number {
    const total = this.#ends.reduce((sum, end, index) => sum + end - this.#starts[index]!, 0);
    if (this.#isReady || total <= 0) return 1;
    const left = this.#ends.reduce((sum, end, index) => sum + Math.max(0, end - this.writer.positions[index]!), 0);
    return 1 - left / total;
  }

  /** Records that are durable and not consumed. */
  get lagRecords(): number {
    return this.#sources.reduce((sum, { reader, index }) => sum + Math.max(0, reader.end - this.writer.positions[index]!), 0);
  }

  /** Age of the record that is consumed next; 0 where there is none. */
  get lagSeconds(): number {
    return this.lagRecords === 0 ? 0 : Math.max(0, this.#options.clock.now() - this.#lastArrivalMs) / 1000;
  }

  /** Opens the store and the log, and begins to consume. @throws SelsynError `telemetry.store-failed`, and what the log throws */
  async start(): Promise<void> {
    const { log, clock, logLines } = this.#options;
    this.#startedMs = clock.monotonicMs();
    const extents = await Promise.all(log.partitions.map((partition) => extentOf(log, partition)));
    try {
      this.#starts = [...this.writer.open({ identity: log.identity, partitions: extents })];
    } catch (cause) {
      if (cause instanceof SelsynError) throw cause;
      throw new SelsynError('telemetry.store-failed', 'the telemetry store could not be opened', { cause });
    }
    this.#ends = extents.map(({ end }) => end);
    this.#sources = await Promise.all(
      log.partitions.map(async (partition, index): Promise<Source> => {
        const reader = await log.openReader(partition, this.#starts[index]! as Offset);
        return { partition, index, reader, batch: undefined, next: 0, waiting: false, retryAtMs: -Infinity };
      }),
    );
    logLines.info(
      { records: this.#ends.reduce((sum, end, index) => sum + end - this.#starts[index]!, 0) },
      'The log is being replayed',
    );
    this.#running = this.#run();
  }

  /** Answers HotCalls on one port, and posts live updates on the other. */
  serve(calls: MessagePort, live: MessagePort): void {
    const { writer } = this;
    writer.live.serve(live);
    const scans = new HotScans({ hot: writer.hot, devices: writer.devices, clock: this.#options.clock });
    serveCalls<HotCalls>(calls, {
      hotRead: (query) => handedOver(writer.hot.read(query)),
      hotScan: (query) => handedOver(scans.page(query)),
      hotLatest: (query) => writer.hot.latest(query),
      forget: ({ device }) => this.forget(device),
      watch: (request) => writer.live.watch(request),
      cardinality: async () => await writer.cardinality.report(),
      cardinalityUsage: () => writer.cardinality.usage,
    });
  }

  /** Answers what the upkeep thread asks. */
  serveUpkeep(calls: MessagePort): void {
    serveCalls<UpkeepStoreCalls>(calls, {
      ...this.writer.upkeep.calls,
      forget: ({ device }) => this.forget(device),
      flush: async () => await this.#flush(),
    });
  }

  async #flush(): Promise<FlushAnswer> {
    const { writer, maintenance } = this;
    return await flushMemory({
      writer,
      maintenance,
      clock: this.#options.clock,
      ends: this.#sources.map(({ reader }) => reader.end),
      stopping: this.#stop.signal,
      wake: () => this.#wake(),
    });
  }

  /** Removes a device's telemetry, also what the log has of it up to now. @throws SelsynError `telemetry.store-failed` */
  forget(device: string): void {
    try {
      this.writer.forget(
        device,
        this.#sources.map(({ reader }) => reader.end),
      );
    } catch (cause) {
      throw new SelsynError('telemetry.store-failed', 'the device could not be forgotten', {
        cause,
        retryable: true,
        details: { device },
      });
    }
  }

  /** Stops consuming, writes what is in memory as far as time allows, and closes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#wake();
    await this.#running;
    if (!this.#isReady) this.#ready.reject(new SelsynError('thread.gone', 'stopped before the log was replayed'));
    if (this.#running !== undefined) await this.#writeAll();
    await Promise.all(this.#sources.map(({ reader }) => reader[Symbol.asyncDispose]()));
    this.writer.close();
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const before = this.writer.consumer.records;
      const drained = this.#consume();
      this.#checkReady();
      const urgent = this.maintenance.run(drained);
      if (!drained || urgent) await nextTurn();
      else await this.#pause(this.writer.consumer.records > before ? LINGER_MS : 0);
    }
  }

  /** Consumes for a slice. @returns true when it ended because there is nothing more, or no room for it */
  #consume(): boolean {
    const { clock } = this.#options;
    const deadlineMs = clock.monotonicMs() + SLICE_MS;
    for (;;) {
      const source = this.#earliest();
      if (source === undefined) return true;
      const batch = source.batch!;
      const next = this.writer.consume(batch, source.next, source.index, deadlineMs);
      const stuck = next === source.next && next < batch.count;
      source.next = next;
      this.#lastArrivalMs = batch.arrivalMs;
      if (next === batch.count) source.batch = undefined;
      if (stuck) {
        if (this.maintenance.failing || this.writer.factsFailing) return true;
        if (this.writer.memtable.dueBuffers === 0) this.writer.policy.all();
        return false;
      }
      if (clock.monotonicMs() >= deadlineMs) return false;
    }
  }

  /** The partition whose next batch arrived first. */
  #earliest(): Source | undefined {
    let earliest: Source | undefined;
    for (const source of this.#sources) {
      if (source.batch === undefined) this.#read(source);
      if (source.batch !== undefined && (earliest === undefined || source.batch.arrivalMs < earliest.batch!.arrivalMs))
        earliest = source;
    }
    return earliest;
  }

  #read(source: Source): void {
    if (source.waiting || this.#options.clock.monotonicMs() < source.retryAtMs) return;
    try {
      source.batch = source.reader.read();
      source.next = 0;
    } catch (error) {
      this.readFailures++;
      source.retryAtMs = this.#options.clock.monotonicMs() + READ_RETRY_MS;
      this.#options.logLines.error(
        { err: error, partition: source.partition },
        'A partition of the log cannot be read; it is tried again',
      );
      if (isSelsynError(error, 'log.offset-gone')) void this.#reopen(source);
      return;
    }
    if (source.batch === undefined) void this.#await(source);
  }

  /** The log has dropped what was to be read next: goes on with what it has. */
  async #reopen(source: Source): Promise<void> {
    const { log, logLines } = this.#options;
    try {
      const oldest = await log.oldest(source.partition);
      const gone = source.reader;
      source.reader = await log.openReader(source.partition, oldest);
      await gone[Symbol.asyncDispose]();
      source.retryAtMs = -Infinity;
    } catch (error) {
      logLines.error({ err: error, partition: source.partition }, 'A partition of the log could not be opened again');
    }
  }

  async #await(source: Source): Promise<void> {
    source.waiting = true;
    try {
      await source.reader.wait(this.#stop.signal);
    } catch (error) {
      source.retryAtMs = this.#options.clock.monotonicMs() + READ_RETRY_MS;
      this.#options.logLines.error({ err: error, partition: source.partition }, 'A partition of the log could not be waited for');
    }
    source.waiting = false;
    this.#wake();
  }

  /** Until a partition has more, or something may be due; at least `lingerMs`. */
  #pause(lingerMs: number): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      let lingering = lingerMs > 0;
      let woken = false;
      const finish = (): void => {
        cancelIdle();
        this.#wake = () => {};
        resolve();
      };
      const cancelIdle = clock.after(this.maintenance.nextTurnMs ?? IDLE_MS, finish);
      if (lingering) {
        clock.after(lingerMs, () => {
          lingering = false;
          if (woken) finish();
        });
      }
      this.#wake = () => {
        woken = true;
        if (!lingering || this.#stop.signal.aborted) finish();
      };
      if (
        this.#stop.signal.aborted ||
        this.#sources.some(({ batch, waiting, retryAtMs }) => batch === undefined && !waiting && retryAtMs === -Infinity)
      )
        this.#wake();
    });
  }

  #checkReady(): void {
    if (this.#isReady || this.#ends.some((end, index) => this.writer.positions[index]! < end)) return;
    this.#isReady = true;
    this.writer.endReplay();
    const { clock, logLines } = this.#options;
    logLines.info(
      { ms: Math.round(clock.monotonicMs() - this.#startedMs), points: this.writer.memtable.points },
      'The log is replayed',
    );
    this.#ready.resolve();
  }

  #release(positions: Positions): void {
    for (const { partition, index } of this.#sources) {
      this.#options.log.release(partition, positions[index]! as Offset).catch((error: unknown) => {
        this.#options.logLines.warn({ err: error, partition }, 'The log could not drop what is stored');
      });
    }
  }

  async #writeAll(): Promise<void> {
    const { clock } = this.#options;
    const { memtable, policy, lowWater } = this.writer;
    const deadlineMs = clock.monotonicMs() + (this.#options.stopWithinMs ?? 5000);
    policy.all();
    try {
      while (memtable.dueBuffers > 0 && clock.monotonicMs() < deadlineMs) {
        this.writer.seal();
        await nextTurn();
      }
      this.writer.beginLowWater();
      while (lowWater.running) {
        const saved = lowWater.step();
        if (saved !== undefined) this.#release(saved);
        await nextTurn();
      }
    } catch (error) {
      this.#options.logLines.warn({ err: error }, 'Not everything in memory could be written: it is read again from the log');
    }
  }
}

/** What is read of the memory are copies, in buffers of their own. */
function handedOver<T extends HotRead | HotScanPage>(answer: T): T {
  const buffers = answer.series.flatMap(({ times, values }) => [
    times.buffer,
    ...(values instanceof Float64Array ? [values.buffer] : []),
  ]);
  return new Transfer(answer, buffers as ArrayBuffer[]) as never;
}

async function extentOf(log: Log, partition: PartitionId): Promise<{ partition: number; oldest: number; end: number }> {
  const oldest = await log.oldest(partition);
  await using reader = await log.openReader(partition, oldest);
  return { partition, oldest, end: reader.end };
}
