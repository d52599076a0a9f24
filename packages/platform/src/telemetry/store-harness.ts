import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import type { LogReader, Offset } from '../log/log.ts';
import { decodeChunk } from './codec/chunk-codec.ts';
import { openDayFileForRead } from './day-file-schema.ts';
import type { FakeLog } from './fake-log.ts';
import { TelemetryWriter, type TelemetryWriterOptions } from './telemetry-writer.ts';
import type { PointValue } from './telemetry-queries.ts';

/** device -> metric -> time -> value */
export type Stored = Record<string, Record<string, [number, PointValue][]>>;

// A model test syncs thousands of times, and no power is lost: in memory, where the system has a folder for that.
const FOLDER = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** For tests: a writer over a fake log, which can be killed and started again from what it left on disk. */
export class StoreHarness {
  readonly #root = mkdtempSync(join(FOLDER, 'selsyn-telemetry-'));
  readonly clock = new FakeClock(1_790_000_000_000);
  readonly log: FakeLog;
  readonly #options: Partial<TelemetryWriterOptions>;
  #lives = 0;
  #readers: LogReader[] = [];
  writer!: TelemetryWriter;

  constructor(log: FakeLog, options: Partial<TelemetryWriterOptions> = {}) {
    this.log = log;
    this.#options = { memtablePoints: 262_144, ...options };
  }

  get dir(): string {
    return join(this.#root, String(this.#lives));
  }

  async open(): Promise<void> {
    this.writer = new TelemetryWriter({ dir: this.dir, clock: this.clock, logLines: silentLogLines, ...this.#options });
    const partitions = this.log.partitions.map((partition) => ({ partition, oldest: 0, end: this.log.end(partition) }));
    const starts = this.writer.open({ identity: this.log.identity, partitions });
    this.#readers = await Promise.all(
      this.log.partitions.map((partition, index) => this.log.openReader(partition, starts[index]! as Offset)),
    );
  }

  /** Consumes at most so many batches of each partition. */
  consume(batches = Infinity): void {
    this.#readers.forEach((reader, partition) => {
      for (let left = batches; left > 0; left--) {
        const batch = reader.read();
        if (batch === undefined) break;
        let next = 0;
        while ((next = this.writer.consume(batch, next, partition, Infinity)) < batch.count) this.seal();
      }
    });
    if (this.#readers.every((reader) => reader.position >= reader.end)) this.writer.endReplay();
  }

  /** Seals everything in memory. */
  seal(): void {
    this.writer.policy.all();
    while (this.writer.memtable.dueBuffers > 0) this.writer.seal();
  }

  saveLowWater(): void {
    this.writer.beginLowWater();
    while (this.writer.lowWater.running) this.stepLowWater();
  }

  /** One slice of a round that was begun. */
  stepLowWater(): void {
    const saved = this.writer.lowWater.step();
    saved?.forEach((offset, partition) => void this.log.release(this.log.partitions[partition]!, offset as Offset));
  }

  /** A minute and more of quiet, and then what there is to roll up. */
  rollUp(): void {
    this.clock.advance(61_000);
    while (this.writer.rollups.step());
  }

  compact(): void {
    this.clock.advance(48 * 3_600_000);
    while (this.writer.compactor.step());
    for (let days = this.writer.files.count; days > 0; days--) while (this.writer.compactor.step());
  }

  /**
   * Goes on with a copy of the files as they are now: a kill. With `lose`, commits to day files that were not synced
   * are gone: a power loss.
   */
  async crash(lose: (file: string) => boolean = () => false): Promise<void> {
    const before = this.dir;
    this.#lives++;
    cpSync(before, this.dir, {
      recursive: true,
      filter: (path) => !path.endsWith('-shm') && !(path.endsWith('-wal') && lose(path)),
    });
    this.writer.close();
    rmSync(before, { recursive: true, force: true });
    await this.open();
  }

  /** What a reader sees: memory over day files, later chunks over earlier ones. */
  stored(): Stored {
    const found: Stored = {};
    const inFiles = this.#inFiles();
    for (const device of this.writer.devices.all()) {
      for (const { metric, id, times, values } of this.writer.hot.read({
        device: device.id,
        metrics: undefined,
        fromMs: -Infinity,
        toMs: Infinity,
      }).series) {
        const points = inFiles.get(id) ?? new Map<number, PointValue>();
        times.forEach((time, index) => points.set(time, values[index]!));
        if (points.size > 0) (found[device.id] ??= {})[metric] = [...points].sort(([a], [b]) => a - b);
      }
    }
    return found;
  }

  chunks(): { readonly day: number; readonly series: number; readonly count: number }[] {
    return this.writer.files.days().flatMap((day) => {
      const db = openDayFileForRead(this.dir, day);
      const rows = db.prepare('SELECT series, count FROM chunk ORDER BY id').all();
      db.close();
      return rows.map((row) => ({ day, series: Number(row['series']), count: Number(row['count']) }));
    });
  }

  #inFiles(): Map<number, Map<number, PointValue>> {
    const found = new Map<number, Map<number, PointValue>>();
    for (const day of this.writer.files.days()) {
      const db = openDayFileForRead(this.dir, day);
      for (const row of db.prepare('SELECT series, data FROM chunk ORDER BY id').all()) {
        const points = found.get(Number(row['series'])) ?? new Map<number, PointValue>();
        found.set(Number(row['series']), points);
        const chunk = decodeChunk(row['data'] as Uint8Array);
        chunk.times.forEach((time, index) => points.set(time, chunk.values[index]!));
      }
      db.close();
    }
    return found;
  }

  [Symbol.dispose](): void {
    this.writer.close();
    rmSync(this.#root, { recursive: true, force: true });
  }
}
