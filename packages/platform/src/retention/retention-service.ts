import { statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Caller } from '../kernel/thread-channel.ts';
import type { UpkeepStoreCalls } from '../telemetry/upkeep-calls.ts';
import type { ArchiveExpiry, ArchiveGate } from './archive-gate.ts';
import { FreeSpace, type SpaceStatus } from './free-space.ts';
import type { RetentionCalls } from './retention-calls.ts';
import { RetentionRunner } from './retention-runner.ts';
import { SpaceMaker } from './space-maker.ts';
import { storageReport } from './storage-report.ts';

/** What retention has of the archive. */
export interface RetainedArchive {
  readonly gate: ArchiveGate;
  readonly expiry: ArchiveExpiry;
  /** Where its objects are files of this machine. */
  readonly folder: string | undefined;
}

export interface RetentionServiceOptions {
  readonly folders: { readonly root: string; readonly telemetry: string; readonly archive: string; readonly log: string };
  /** To be read. */
  readonly registry: Database;
  readonly store: Caller<UpkeepStoreCalls>;
  readonly archive?: RetainedArchive | undefined;
  readonly floorBytes: number;
  readonly whenShort: 'drop-oldest' | 'refuse';
  /** See FreeSpaceParts. */
  readonly refuse: (refusing: boolean) => void;
  readonly announce: (status: SpaceStatus) => void;
  readonly volume?: () => { readonly sizeBytes: number; readonly freeBytes: number };
  readonly onFilesGone?: () => void;
  readonly clock: Clock;
  readonly logLines: LogLines;
}

/** All of retention in the upkeep thread: what goes by age, what goes for space, and what the disk is used for. */
export class RetentionService implements AsyncDisposable {
  readonly runner: RetentionRunner;
  readonly space: FreeSpace;
  readonly #options: RetentionServiceOptions;

  /** Throws what SQLite throws where its memory cannot be opened. */
  constructor(options: RetentionServiceOptions) {
    this.#options = options;
    const { folders, registry, store, archive, clock, logLines, onFilesGone } = options;
    const volume = options.volume ?? (() => volumeOf(folders.root));
    this.runner = new RetentionRunner({
      telemetryDir: folders.telemetry,
      registry,
      store,
      archive,
      clock,
      logLines,
      freeBytes: () => volume().freeBytes,
      ...(onFilesGone !== undefined && { onFilesGone }),
    });
    const maker = new SpaceMaker({ runner: this.runner, store, archive: archive?.gate, clock, logLines });
    const { floorBytes, whenShort, refuse, announce } = options;
    const dropOldest = async (): Promise<number | undefined> => await maker.dropOldest();
    this.space = new FreeSpace({ volume, floorBytes, whenShort, dropOldest, refuse, announce, clock, logLines });
  }

  start(): void {
    this.runner.start();
    this.space.start();
  }

  get calls(): RetentionCalls {
    const { runner } = this;
    return {
      retentionPlan: async ({ policies }) => await runner.plan(policies),
      retentionRun: async () => await runner.run(),
      retentionStatus: ({ letGo }) => ({ clock: runner.clock(), lastPass: runner.last, letGo: runner.letGo(letGo) }),
      retentionChanged: async () => await runner.settle(),
      confirmClock: () => runner.confirmClock(),
      storage: async () => await this.storage(),
    };
  }

  async storage(): ReturnType<RetentionCalls['storage']> {
    const { store, archive, clock, folders } = this.#options;
    const { view } = this.runner;
    const signal = AbortSignal.timeout(100_000);
    const rules = await view.rules();
    const input = view.inputOf(rules, clock.now());
    const files = await view.files(await store.call('storeFiles', null), rules, input, signal);
    return await storageReport({
      files,
      rules,
      input,
      volume: this.space.status,
      archive: archive && {
        objects: archive.expiry.objects(),
        folder: archive.folder,
        onVolume: archive.folder !== undefined && deviceOf(archive.folder) === deviceOf(folders.root),
      },
      sharesOf: async (file) => await view.sharesOf(file, rules, signal),
      folders,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.space[Symbol.asyncDispose]();
    await this.runner[Symbol.asyncDispose]();
  }
}

function volumeOf(folder: string): { readonly sizeBytes: number; readonly freeBytes: number } {
  const { bavail, blocks, bsize } = statfsSync(folder);
  return { sizeBytes: blocks * bsize, freeBytes: bavail * bsize };
}

/** What two folders of one volume have in common. A folder that is not there yet will be where the one above it is. */
function deviceOf(folder: string): number {
  return statSync(folder, { throwIfNoEntry: false })?.dev ?? deviceOf(dirname(folder));
}
