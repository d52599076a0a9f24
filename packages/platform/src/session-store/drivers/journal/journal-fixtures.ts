import { cpSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock } from '../../../kernel/fake-clock.ts';
import { silentLogLines } from '../../../kernel/log-lines.ts';
import { openDiskLog, type DiskLog } from '../../../log/drivers/disk/disk-log.ts';
import type { DiskLogOptions } from '../../../log/drivers/disk/disk-options.ts';
import { newDiskLogShared } from '../../../log/drivers/disk/shared-positions.ts';
import type { PartitionId } from '../../../log/log.ts';
import { OwnerModel } from '../../owner-model.ts';
import { JournalSessionStore, type JournalSessionStoreOptions } from './journal-session-store.ts';

export const FIRST: PartitionId = 0 as PartitionId;

/** How the platform opens the stream, but with small segments: what is released goes at once. */
export async function openSessionLog(dir: string, partitions: number, options: Partial<DiskLogOptions> = {}): Promise<DiskLog> {
  return await openDiskLog({
    dir,
    shared: newDiskLogShared(partitions),
    role: 'owner',
    clock: new FakeClock(),
    logLines: silentLogLines,
    segmentBytes: 16_384,
    maxRecordBytes: 1024 * 1024 * 1024,
    retention: { maxAgeMs: 0, maxBytes: 0 },
    ...options,
  });
}

/** For tests: a folder with journals of one partition, each a copy of the one before as a crash would leave it. */
export class JournalFolder implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly #root: string;
  /** Copies lie outside of the volume that a test may be about. */
  readonly #copies = mkdtempSync(join(tmpdir(), 'selsyn-sessions-'));
  readonly #options: Partial<JournalSessionStoreOptions>;
  readonly #logOptions: Partial<DiskLogOptions>;
  readonly #opened: AsyncDisposable[] = [];
  #generation = 0;

  constructor(options: Partial<JournalSessionStoreOptions> = {}, logOptions: Partial<DiskLogOptions> = {}, parent = tmpdir()) {
    this.#root = mkdtempSync(join(parent, 'selsyn-sessions-'));
    this.#options = options;
    this.#logOptions = logOptions;
  }

  /** Of the journal that was opened last. */
  get dir(): string {
    return join(this.#generation === 0 ? this.#root : this.#copies, String(this.#generation));
  }

  /** Bytes of its segments. */
  get sizeBytes(): number {
    const folder = join(this.dir, '0');
    return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  }

  async log(options: Partial<DiskLogOptions> = {}): Promise<DiskLog> {
    const log = await openSessionLog(this.dir, 1, { clock: this.clock, ...this.#logOptions, ...options });
    this.#opened.push(log);
    return log;
  }

  async store(options: Partial<DiskLogOptions> = {}): Promise<JournalSessionStore> {
    const { clock } = this;
    const log = await this.log(options);
    const store = new JournalSessionStore({ log, partition: FIRST, clock, logLines: silentLogLines, ...this.#options });
    this.#opened.push(store);
    return store;
  }

  /** A store on a copy of what is on the disk now, by default of the journal that was opened last. */
  async crash(dir = this.dir): Promise<JournalSessionStore> {
    this.#generation += 1;
    cpSync(dir, this.dir, { recursive: true });
    return await this.store();
  }

  /** What a crash now would leave. */
  async crashedModel(dir = this.dir): Promise<OwnerModel> {
    const owner = new OwnerModel();
    await (await this.crash(dir)).open(owner);
    return owner;
  }

  /** Closes all that was opened. */
  async close(): Promise<void> {
    for (const one of this.#opened.splice(0).toReversed()) await one[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    for (const root of [this.#root, this.#copies]) rmSync(root, { recursive: true, force: true });
  }
}

/** A home for each name, spread over so many threads. */
export function homeIn(threads: number): (name: string) => number {
  return (name) => Buffer.from(name).reduce((sum, byte) => sum * 31 + byte, 7) % threads;
}
