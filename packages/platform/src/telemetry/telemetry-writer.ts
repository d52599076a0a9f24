import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { RecordBatch } from '../log/log.ts';
import { NO_FACTS, type DeviceFacts } from '../payloads/device-facts.ts';
import type { MessageMemory } from '../payloads/message-memory.ts';
import { BatchSources } from './batch-sources.ts';
import { BufferPoints } from './buffer-points.ts';
import { Cardinality } from './cardinality.ts';
import { Catalog } from './catalog.ts';
import { ChunkWriter } from './chunk-writer.ts';
import { Compactor } from './compactor.ts';
import { ConsumedSteps, type Positions } from './consumed-steps.ts';
import { DayFiles } from './day-files.ts';
import { DeadLetterStore } from './dead-letter-store.ts';
import { DeviceTable } from './device-table.ts';
import { Eraser } from './eraser.ts';
import { HotDaysWriter, MAX_DAYS, shareHotDays } from './hot-days.ts';
import { HotReads } from './hot-reads.ts';
import { LatestValues } from './latest-values.ts';
import { LiveUpdates } from './live-updates.ts';
import { LowWater } from './low-water.ts';
import { Memtable } from './memtable.ts';
import { QualityStore } from './quality-store.ts';
import { RecordConsumer } from './record-consumer.ts';
import { recover, type LogExtent } from './recovery.ts';
import { ReplayMarks } from './replay-marks.ts';
import type { SeriesLimits } from './series-quota.ts';
import { RollupBuilder } from './rollups/rollup-builder.ts';
import { RollupFiles } from './rollups/rollup-files.ts';
import { UnrolledDays } from './rollups/unrolled-days.ts';
import { SealPolicy, type SealLimits } from './seal-policy.ts';
import { UpkeepStore } from './upkeep-store.ts';

export interface TelemetryWriterOptions extends Partial<SealLimits> {
  /** `telemetry/` in the data folder. */
  readonly dir: string;
  readonly clock: Clock;
  readonly logLines: LogLines;
  /** Points that may wait in memory; their room is 12 bytes each. Default 16 Mi. */
  readonly memtablePoints?: number;
  /** How many series there may be. */
  readonly seriesLimits?: SeriesLimits;
  /** Told of each device that has telemetry or dead letters: once, at the start or with its first record. */
  readonly onDevice?: (deviceId: string) => void;
  /** What is known of the types of devices. Default: nothing, so that all is JSON. */
  readonly facts?: DeviceFacts;
  /** What its readers of messages remember of earlier ones. */
  readonly memory?: MessageMemory;
  /** Where it tells of which days something is in memory (hot-days.ts). Default: memory of its own. */
  readonly hotDays?: SharedArrayBuffer;
}

const STEP_MS = 250;
const STEP_RECORDS = 32_768;
/** Records between two looks at the clock. */
const CLOCK_RECORDS = 256;

/**
 * The store's one writer, without its waiting: everything here returns within milliseconds. TelemetryIngest feeds it.
 *
 *   record -> device-table (which series) -> memtable -> chunk-writer (day files) -> low-water (the log may forget)
 */
export class TelemetryWriter {
  readonly memtable: Memtable;
  readonly devices: DeviceTable;
  readonly latest: LatestValues;
  readonly files: DayFiles;
  readonly rollupFiles: RollupFiles;
  readonly unrolled: UnrolledDays;
  readonly rollups: RollupBuilder;
  readonly catalog: Catalog;
  readonly chunks: ChunkWriter;
  readonly consumer: RecordConsumer;
  readonly deadLetters: DeadLetterStore;
  readonly quality: QualityStore;
  readonly lowWater: LowWater;
  readonly policy: SealPolicy;
  readonly compactor: Compactor;
  readonly eraser: Eraser;
  readonly live: LiveUpdates;
  readonly hot: HotReads;
  readonly hotDays: SharedArrayBuffer;
  readonly #hotDays: HotDaysWriter;
  #isOpen = false;
  readonly upkeep: UpkeepStore;
  readonly cardinality: Cardinality;
  readonly marks = new ReplayMarks();
  readonly #steps = new ConsumedSteps();
  readonly #clock: Clock;
  readonly #logLines: LogLines;
  readonly #onDevice: (deviceId: string) => void;
  readonly #sources: BatchSources;
  readonly #memory: MessageMemory | undefined;
  #positions: number[] = [];
  /** What the log had at the start is being consumed again. */
  replaying = true;
  #stepStartMs = -Infinity;
  #stepRecords = 0;

  constructor(options: TelemetryWriterOptions) {
    const { dir, clock, logLines } = options;
    this.#clock = clock;
    this.#logLines = logLines;
    this.#onDevice = options.onDevice ?? (() => undefined);
    this.#memory = options.memory;
    this.hotDays = options.hotDays ?? shareHotDays();
    this.#hotDays = new HotDaysWriter(this.hotDays);
    const tell = (): void => this.#tell();
    this.memtable = new Memtable(options.memtablePoints ?? 16 * 1024 * 1024, tell);
    this.unrolled = new UnrolledDays(tell);
    const points = new BufferPoints();
    this.latest = new LatestValues(this.memtable, points);
    this.devices = new DeviceTable(
      (series) => {
        this.memtable.register(series);
        this.latest.register(series);
      },
      options.seriesLimits,
      tell,
    );
    this.cardinality = new Cardinality({
      devices: this.devices,
      dir,
      clock,
      learnType: (device) => device.facts?.stale === false || this.#sources.learnType(device),
    });
    this.catalog = new Catalog(dir);
    this.files = new DayFiles({ dir, limit: 64, logLines, numbers: this.catalog, onVersion: tell });
    this.rollupFiles = new RollupFiles({ dir, limit: 16, logLines, numbers: this.catalog, onVersion: tell });
    this.deadLetters = new DeadLetterStore(dir);
    this.quality = new QualityStore(dir);
    this.live = new LiveUpdates(this.devices, this.latest);
    this.#sources = new BatchSources({ devices: this.devices, facts: options.facts ?? NO_FACTS, live: this.live, logLines });
    const { memtable, devices, latest, files, rollupFiles, catalog, unrolled, deadLetters, live, marks } = this;
    this.chunks = new ChunkWriter({ memtable, points, catalog, files, devices, latest, marks, unrolled, clock });
    this.consumer = new RecordConsumer({
      memtable,
      devices,
      marks,
      deadLetters,
      quality: this.quality,
      live,
      logLines,
      onDevice: this.#onDevice,
      onRefused: (device, refusal, atMs) => this.cardinality.refused(device, refusal, atMs),
    });
    this.lowWater = new LowWater({
      memtable,
      steps: this.#steps,
      files,
      writer: this.chunks,
      catalog,
      deadLetters,
      quality: this.quality,
      memory: options.memory,
      consumed: () => this.#positions,
    });
    this.policy = new SealPolicy(memtable, this.#steps, {
      sealAfterMs: options.sealAfterMs ?? 600_000,
      sealAfterRecords: options.sealAfterRecords ?? 5_000_000,
    });
    this.compactor = new Compactor({
      files,
      clock,
      onCompacted: (day) => {
        catalog.dayCompacted(day);
        this.chunks.compacted(day);
      },
    });
    this.rollups = new RollupBuilder({ files, rollupFiles, catalog, unrolled, clock, logLines });
    this.eraser = new Eraser(catalog, files, rollupFiles, clock);
    const replaying = (): boolean => this.replaying;
    const { chunks, rollups } = this;
    this.upkeep = new UpkeepStore({ files, rollupFiles, rollups, unrolled, chunks, catalog, memtable, replaying, logLines });
    this.hot = new HotReads({ memtable, points, devices, latest, files, rollupFiles, unrolled });
  }

  /** Where each partition is consumed up to, in the order of the log's partitions. */
  get positions(): Positions {
    return this.#positions;
  }

  /** The registry cannot be read: without it nobody knows how records are to be read. */
  get factsFailing(): boolean {
    return this.#sources.failing;
  }

  /** @returns the offsets to read from. Throws what SQLite throws. */
  open(log: LogExtent): Positions {
    this.catalog.open();
    this.files.open();
    this.rollupFiles.open();
    for (const day of this.catalog.unrolledDays()) this.unrolled.add(day);
    const { catalog, files, chunks: writer, devices, latest, marks, deadLetters } = this;
    this.#positions = recover({ catalog, files, writer, devices, latest, marks, deadLetters, logLines: this.#logLines }, log);
    this.cardinality.open();
    this.quality.open(catalog.log, this.chunks.partitions);
    this.#memory?.open(catalog.log, new Map(this.#positions.map((from, index) => [this.chunks.partitions[index]!, from])));
    this.consumer.assignAfter(catalog.assignedMs());
    for (const device of devices.all()) {
      // Removed devices are in the table too, for what the log still has of them; they have no series.
      if (device.series.length === 0) continue;
      device.announced = true;
      this.#onDevice(device.id);
    }
    this.eraser.add(catalog.forgottenSeries());
    this.#eraseForgottenLetters();
    for (const day of catalog.uncompactedDays()) this.compactor.changed(day);
    this.rollups.open();
    this.lowWater.saved = [...this.#positions];
    this.#isOpen = true;
    this.#tell();
    return this.#positions;
  }

  /**
   * Consumes records of a batch from `index` on, until its end, or until the deadline, or until there is no room, or while it is not
   * known how they are read (`factsFailing`).
   *
   * @param partition its index in the log's partitions
   * @returns the index of the first record that is not consumed
   */
  consume(batch: RecordBatch, index: number, partition: number, deadlineMs: number): number {
    if (!this.#sources.begin(batch, index)) return index;
    this.#beginStep(batch);
    let at = index;
    for (; at < batch.count; at++) {
      if ((at & (CLOCK_RECORDS - 1)) === 0 && at > index && this.#clock.monotonicMs() >= deadlineMs) break;
      const bytes = batch.ends[at]! - batch.starts[at]!;
      if (!this.memtable.hasRoomFor(bytes)) {
        if (this.memtable.points > 0) break;
        this.consumer.refuse(batch, at, 'request.too-large', 'the memory for points cannot hold this message');
      } else {
        const source = batch.sourceIndex[at]!;
        const device = this.#sources.find(batch, source);
        if (device === undefined) break;
        if (!this.consumer.consume(batch, at, device, partition, this.#sources.decoders[source])) break;
      }
      this.#positions[partition] = batch.firstOffset + at + 1;
    }
    if (at === batch.count) this.#positions[partition] = batch.nextOffset;
    return at;
  }

  /** Seals a slice of due buffers, or prepares it. @throws SelsynError `telemetry.store-failed` */
  seal(): void {
    const day = this.memtable.dueDay();
    if (day === undefined) return;
    let sealed = 0;
    try {
      sealed = this.chunks.seal(day, [...this.#positions]);
    } finally {
      if (sealed === 0) this.memtable.postpone(day);
    }
    if (sealed > 0) {
      this.compactor.changed(day);
      this.rollups.changed(day);
    } else this.chunks.saveSeries();
  }

  /**
   * Removes a device: it has no telemetry any more when this returns, and records of it before `ends` are skipped.
   *
   * @param ends by partition, in the order of the log's partitions
   */
  forget(deviceId: string, ends: Positions): void {
    const device = this.devices.find(deviceId);
    const series = device?.series ?? [];
    const saved = series.filter((id) => id < this.devices.firstUnsaved);
    this.catalog.forget(deviceId, new Map(ends.map((end, index) => [this.chunks.partitions[index]!, end])), saved);
    for (const id of series) {
      for (const buffer of this.memtable.buffersOf(id)) this.memtable.release(buffer);
      this.latest.drop(id);
    }
    if (device !== undefined) {
      device.touched = undefined;
      this.devices.remove(device);
    }
    this.#sources.forget();
    if (ends.some((end, index) => end > this.#positions[index]!)) this.devices.setSkipBefore(deviceId, ends);
    this.eraser.add(saved);
    this.deadLetters.erase(deviceId, this.catalog.log);
    this.quality.erase(deviceId);
    this.#memory?.forget(deviceId);
  }

  /** Everything that marks speak of is consumed. */
  endReplay(): void {
    this.replaying = false;
    this.marks.clear();
    this.#memory?.caughtUp();
  }

  beginLowWater(): void {
    this.lowWater.begin(this.#positions, this.consumer.assignedMs);
    // Where nothing is in memory the mark passes the beginning of the current step. What is consumed next must not belong to
    // it: a later round would take the mark back, to records of which nobody knows any more that their device was removed.
    this.#stepStartMs = -Infinity;
  }

  close(): void {
    this.files.close();
    this.rollupFiles.close();
    this.deadLetters.close();
    this.quality.close();
    this.#memory?.close();
    this.catalog.close();
  }

  #tell(): void {
    if (!this.#isOpen) return;
    const { memtable, devices, unrolled, hot } = this;
    this.#hotDays.tell({
      daysVersion: hot.daysVersion,
      unsaved: devices.hasUnsaved,
      // Thousands would be copied with each that comes.
      hot: memtable.days(MAX_DAYS),
      unrolled: unrolled.size > MAX_DAYS ? undefined : unrolled.all,
    });
  }

  /** A crash may have come between the removal of a device and that of its dead letters. */
  #eraseForgottenLetters(): void {
    const { catalog, deadLetters } = this;
    try {
      for (const [device, ends] of catalog.forgotten()) {
        deadLetters.eraseBefore(device, catalog.log, ends);
        this.#memory?.forget(device, ends);
      }
    } catch (error) {
      this.#logLines.warn({ err: error }, 'Dead letters of removed devices could not be removed; they are at the next start');
    }
  }

  #beginStep(batch: RecordBatch): void {
    const nowMs = this.#clock.monotonicMs();
    const { records } = this.consumer;
    if (nowMs - this.#stepStartMs < STEP_MS && records - this.#stepRecords < STEP_RECORDS) return;
    this.#stepStartMs = nowMs;
    this.#stepRecords = records;
    this.memtable.step = this.#steps.begin({
      positions: this.#positions,
      // The wall clock may be set back: what is in memory must not wait for it.
      startMs: nowMs - Math.max(0, this.#clock.now() - batch.arrivalMs),
      consumed: records,
      assignedMs: this.consumer.assignedMs,
    });
  }
}
