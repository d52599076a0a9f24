import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiskBlobs } from '../blobs/drivers/disk/disk-blobs.ts';
import type { BlobStore } from '../blobs/blob-store.ts';
import { ARCHIVE_LIMITS } from '../columnar/columnar-limits.ts';
import { openParquetFiles } from '../columnar/open-parquet-files.ts';
import type { DevicesOfType, ParquetFiles } from '../columnar/parquet-files.ts';
import { systemClock } from '../kernel/clock.ts';
import { silentLogLines, type LogLines } from '../kernel/log-lines.ts';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import { FakeLog } from '../telemetry/fake-log.ts';
import { StoreHarness } from '../telemetry/store-harness.ts';
import type { PointValue } from '../telemetry/telemetry-queries.ts';
import type { ArchiveTimes } from './archive-plan.ts';
import { Archiver } from './archiver.ts';
import type { DeviceTypes } from './device-types.ts';
import { Erasures } from './erasures.ts';
import { LocalObjects } from './local-objects.ts';
import { Manifest } from './manifest.ts';
import { ManifestIndex } from './manifest-index.ts';
import { archiveFolders } from './manifest-schema.ts';
import type { PublishStep } from './publisher.ts';
import { CatalogStoreEraser } from './store-eraser.ts';

/** Everything at once, but for what the test lets wait. */
export const AT_ONCE: ArchiveTimes = { overMs: 0, quietMs: 0, latestMs: 0, joinAfterMs: Infinity, joinAgainMs: 0 };

/** `device metric time value`, as a text that is easy to compare; time in ms. */
export type Row = string;

/** Devices and their types, as a registry would say. */
export class KnownTypes implements DeviceTypes {
  readonly types = new Map<string, string>();

  async *all(): AsyncGenerator<DevicesOfType> {
    for (const [type, entries] of Map.groupBy(this.types, ([, of]) => of))
      yield { type, devices: entries.map(([device]) => device) };
  }

  async of(devices: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return new Map(devices.flatMap((device) => (this.types.has(device) ? [[device, this.types.get(device)!]] : [])));
  }
}

/** The process that writes Parquet, one for all tests of a file. */
export function parquetForTests(): ParquetFiles & AsyncDisposable {
  const scratchDir = mkdtempSync(join(tmpdir(), 'selsyn-scratch-'));
  const files = openParquetFiles({ limits: ARCHIVE_LIMITS, scratchDir, clock: systemClock, logLines: silentLogLines });
  const end = files[Symbol.asyncDispose].bind(files);
  return Object.assign(files, {
    [Symbol.asyncDispose]: async () => {
      await end();
      rmSync(scratchDir, { recursive: true, force: true });
    },
  });
}

/** For tests: a telemetry store and its archive, which can be stopped anywhere and opened again. */
export class ArchiveFixture implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'selsyn-archive-'));
  readonly folders = archiveFolders(join(this.root, 'archive'));
  readonly log = new FakeLog(1);
  readonly store = new StoreHarness(this.log);
  readonly types = new KnownTypes();
  readonly parquet: ParquetFiles;
  /** The beginning of the day that has just ended. */
  readonly today: number;
  blobs: BlobStore = new DiskBlobs({ root: this.folders.objects });
  direct: ((key: string) => string) | undefined = (key) => join(this.folders.objects, key);
  times: ArchiveTimes = AT_ONCE;
  objectBytes: number | undefined;
  logLines: LogLines = silentLogLines;
  onStep: ((step: PublishStep) => void | Promise<void>) | undefined;
  manifest!: Manifest;
  local!: LocalObjects;
  index!: ManifestIndex;
  erasures!: Erasures;
  archiver!: Archiver;

  constructor(parquet: ParquetFiles) {
    this.parquet = parquet;
    this.today = Math.floor(this.store.clock.now() / DAY_MS) * DAY_MS;
    this.store.clock.advance(this.today + DAY_MS - this.store.clock.now());
  }

  static async open(parquet: ParquetFiles, change: (fixture: ArchiveFixture) => void = () => undefined): Promise<ArchiveFixture> {
    const fixture = new ArchiveFixture(parquet);
    change(fixture);
    await fixture.store.open();
    await fixture.openArchive();
    return fixture;
  }

  /** As at the start of the process. */
  async openArchive(): Promise<void> {
    const { folders, blobs, direct, store } = this;
    this.manifest = new Manifest(join(this.root, 'archive'));
    this.local = new LocalObjects({ cache: folders.cache, held: folders.held, blobs, direct, maxBytes: 64 * 1024 * 1024 });
    await this.local.open();
    this.index = new ManifestIndex({ root: join(this.root, 'archive'), objects: this.local });
    this.erasures = new Erasures({
      manifest: this.manifest,
      store: new CatalogStoreEraser({
        telemetryDir: store.dir,
        forget: async (device) => store.writer.forget(device, [...store.writer.positions]),
      }),
      clock: store.clock,
      random: randomBytes,
      logLines: silentLogLines,
    });
    this.archiver = new Archiver({
      telemetryDir: store.dir,
      aside: folders.aside,
      manifest: this.manifest,
      blobs,
      local: this.local,
      parquet: this.parquet,
      types: this.types,
      erasures: this.erasures,
      clock: store.clock,
      logLines: this.logLines,
      times: this.times,
      objectBytes: this.objectBytes,
      onStep: async (step) => await this.onStep?.(step),
    });
  }

  closeArchive(): void {
    this.index[Symbol.dispose]();
    this.manifest[Symbol.dispose]();
  }

  /** Stores points: `[device, metric, minute of today, value]`. */
  points(...points: readonly (readonly [device: string, metric: string, minute: number, value: PointValue])[]): void {
    this.log.append(
      0,
      this.store.clock.now(),
      points.map(([device, metric, minute, value]) => [device, { ts: this.today + minute * 60_000, [metric]: value }]),
    );
    this.store.consume();
    this.store.writer.chunks.saveSeries();
    this.store.seal();
  }

  /** @throws the first fault of a day */
  async pass(atOnce = false): Promise<void> {
    const faults: unknown[] = [];
    await this.archiver.pass(AbortSignal.timeout(300_000), { atOnce, onFault: (_day, error) => faults.push(error) });
    if (faults.length > 0) throw faults[0];
  }

  /** Every row of the archive, as readers see it, in order. */
  async rows(): Promise<Row[]> {
    const rows: Row[] = [];
    for (const object of this.index.range({ fromMs: -DAY_MS, toMs: this.today + 400 * DAY_MS }).objects) {
      using local = await this.index.local(object);
      for await (const batch of this.parquet.read(local.path, object.hidden.length > 0 ? { notDevices: object.hidden } : {})) {
        for (const { device, metric, times, values } of batch) {
          times.forEach((time, i) => rows.push(`${device} ${metric} ${(time - this.today) / 60_000} ${String(values[i])}`));
        }
      }
    }
    return rows.sort();
  }

  /** Keys of all that is stored, whether it counts or not. */
  async stored(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.blobs.list('')) keys.push(key);
    return keys;
  }

  /** Keys of what counts. */
  keys(): string[] {
    return this.index
      .page({ after: 0, limit: 10_000 })
      .map(({ key }) => key)
      .sort();
  }

  asideFiles(): string[] {
    return existsSync(this.folders.aside) ? readdirSync(this.folders.aside) : [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.manifest.db.isOpen) this.closeArchive();
    this.store[Symbol.dispose]();
    rmSync(this.root, { recursive: true, force: true });
  }
}
