import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import type { ArchiveCalls } from '../archive/archive-calls.ts';
import type { ArchiveIndex } from '../archive/archive-index.ts';
import { Archiver } from '../archive/archiver.ts';
import { registerArchiveMetrics } from '../archive/archive-metrics.ts';
import { ArchiveReading } from '../archive/archive-reading.ts';
import { ArchiveService } from '../archive/archive-service.ts';
import { Erasures } from '../archive/erasures.ts';
import { Manifest, type CurrentObject } from '../archive/manifest.ts';
import { ManifestIndex } from '../archive/manifest-index.ts';
import { archiveFolders } from '../archive/manifest-schema.ts';
import { CatalogStoreEraser } from '../archive/store-eraser.ts';
import { ARCHIVE_LIMITS } from '../columnar/columnar-limits.ts';
import { openParquetFiles } from '../columnar/open-parquet-files.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Caller } from '../kernel/thread-channel.ts';
import { holdsInForce } from '../registry/held-devices.ts';
import { mayBeHeld } from '../retention/archive-expiry.ts';
import { LegalHoldStore } from '../retention/legal-holds.ts';
import { heldThatLeft } from '../retention/retention-view.ts';
import type { RetainedArchive } from '../retention/retention-service.ts';
import type { UpkeepStoreCalls } from '../telemetry/upkeep-calls.ts';
import { openArchiveTarget } from './archive-target.ts';
import type { Config } from './config-schema.ts';
import type { DataPaths } from './data-folder.ts';
import { RegistryDeviceTypes } from './registry-device-types.ts';

/** Longer than a flush takes. */
const FLUSH_DEADLINE_MS = 70_000;

/** The archive in the upkeep thread. */
export interface ArchiveUpkeep extends AsyncDisposable {
  readonly calls: ArchiveCalls;
  /** What retention asks, where there is an archive. */
  readonly retention: RetainedArchive | undefined;
  start(): void;
}

/** @throws SelsynError `config.invalid`, `data.corrupt` for a manifest that cannot be read */
export async function openArchiveUpkeep(options: {
  readonly config: Config;
  readonly paths: DataPaths;
  /** To be read. */
  readonly registry: Database;
  readonly store: Caller<UpkeepStoreCalls>;
  readonly clock: Clock;
  readonly metrics: Registry;
  readonly logLines: LogLines;
}): Promise<ArchiveUpkeep> {
  const { config, paths, registry, store, clock, metrics, logLines } = options;
  await using opening = new AsyncDisposableStack();
  const target = await openArchiveTarget(config.archive, paths.archive);
  if (target !== undefined) opening.use(target.blobs);
  const manifest = opening.use(openManifest(paths.archive));
  const forget = async (device: string): Promise<void> => await store.call('forget', { device });
  const storeEraser = new CatalogStoreEraser({ telemetryDir: paths.telemetry, forget });
  const erasures = new Erasures({ manifest, store: storeEraser, clock, random: randomBytes, logLines });
  let archiver: Archiver | undefined;
  if (target !== undefined) {
    await target.local.open();
    const parquet = opening.use(
      openParquetFiles({ limits: ARCHIVE_LIMITS, scratchDir: join(paths.archive, 'scratch'), clock, logLines }),
    );
    archiver = new Archiver({
      telemetryDir: paths.telemetry,
      aside: archiveFolders(paths.archive).aside,
      manifest,
      ...target,
      parquet,
      types: new RegistryDeviceTypes(registry),
      erasures,
      clock,
      logLines,
    });
  } else if (manifest.totals().objects > 0) {
    logLines.warn(manifest.totals(), 'There is an archive, and none is configured: what it holds is not seen');
  }
  const service = opening.use(
    new ArchiveService({
      manifest,
      erasures,
      store: { forget, flush: async () => await store.call('flush', null, FLUSH_DEADLINE_MS) },
      archiver,
      target: config.archive.target,
      place: target?.blobs.place,
      clock,
      logLines,
    }),
  );
  registerArchiveMetrics(metrics, service, archiver);
  const holds = new LegalHoldStore({ database: registry, clock });
  const open = opening.move();
  return {
    calls: {
      archiveStatus: () => service.status(),
      archiveNow: async () => await service.archiveNow(),
      rebuildArchive: () => service.rebuild(),
      badObjects: (query) => service.badObjects(query),
      giveUpObject: async ({ id }) => await service.giveUp(id, async (object) => await requireUnheld(registry, object)),
      beginErasure: async (request) => {
        // A hold may have been made since main has looked: it is in force once this thread has heard of it.
        await holds.requireFree([request.device]);
        return await service.beginErasure(request);
      },
      erasure: ({ id }) => erasures.get(id),
      erasures: (query) => erasures.list(query),
      forgetRemoved: async ({ device, requestedBy }) => await service.forgetRemoved(device, requestedBy),
    },
    retention: target && { gate: service, expiry: service, folder: target.folder },
    start: () => service.start(),
    [Symbol.asyncDispose]: async () => await open.disposeAsync(),
  };
}

/** @throws SelsynError `hold.active` where a hold may cover a device of an object: nobody can tell which devices it has */
async function requireUnheld(registry: Database, object: CurrentObject): Promise<void> {
  const holds = await holdsInForce(registry);
  const heldDevices = new Set(holds.length === 0 ? [] : await heldThatLeft(registry));
  if (!mayBeHeld(object, { holds, heldDevices })) return;
  const details = { holds: holds.map(({ id }) => id) };
  throw new SelsynError('hold.active', `a legal hold may cover devices of the archived object ${object.key}`, { details });
}

/** The archive in the main thread: what readers see of it, and what is answered about it. */
export interface ArchiveMain extends AsyncDisposable {
  readonly index: ArchiveIndex;
  readonly reading: ArchiveReading;
}

/** To be opened once the upkeep thread has started. */
export async function openArchiveMain(options: {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly upkeep: Caller<ArchiveCalls>;
  readonly database: Database;
  readonly clock: Clock;
}): Promise<ArchiveMain> {
  const { config, paths, upkeep, database, clock } = options;
  const target = await openArchiveTarget(config.archive, paths.archive);
  const index = new ManifestIndex({ root: paths.archive, objects: target?.local });
  const holds = new LegalHoldStore({ database, clock });
  const requireFree = async (devices: readonly string[]): Promise<void> => await holds.requireFree(devices);
  return {
    index,
    reading: new ArchiveReading({ upkeep, index, requireFree }),
    [Symbol.asyncDispose]: async () => {
      index[Symbol.dispose]();
      await target?.blobs[Symbol.asyncDispose]();
    },
  };
}

function openManifest(root: string): Manifest {
  try {
    return new Manifest(root);
  } catch (cause) {
    throw new SelsynError('data.corrupt', 'the manifest of the archive cannot be opened', { cause, details: { root } });
  }
}
