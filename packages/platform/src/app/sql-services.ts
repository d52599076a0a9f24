import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import type { ArchiveIndex } from '../archive/archive-index.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { DeviceStore } from '../registry/device-store.ts';
import { MAX_POINTS } from '../sql/sql-limits.ts';
import { SqlService, type SqlServiceOptions } from '../sql/sql-service.ts';
import type { Database } from '../database/schema.ts';
import type { Config } from './config-schema.ts';
import type { DataPaths } from './data-folder.ts';
import { RegistryDeviceTypes } from './registry-device-types.ts';

/** SQL; its processes begin with the first query, and end when nobody asks any more. */
export function openSql(options: {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly hot: SqlServiceOptions['hot'];
  readonly devices: DeviceStore;
  readonly database: Database;
  readonly archive: ArchiveIndex;
  readonly clock: Clock;
  readonly logLines: LogLines;
  readonly ending: AsyncDisposableStack;
}): SqlService {
  const { config, paths, hot, devices, database, archive, clock, logLines, ending } = options;
  const { concurrency, memoryBytes, maxSeconds, maxRows, maxResultBytes } = config.sql;
  const { folder } = config.archive;
  const service = ending.use(
    new SqlService({
      limits: { memoryBytes, deadlineMs: maxSeconds * 1000, maxRows, maxPoints: MAX_POINTS, maxResultBytes },
      concurrency,
      threads: Math.max(1, Math.floor(availableParallelism() / concurrency)),
      telemetryDir: resolve(paths.telemetry),
      scratchDir: resolve(paths.root, 'sql'),
      archiveDirs: [resolve(paths.archive), ...(folder === '' ? [] : [resolve(folder)])],
      hot,
      registry: { devices, types: new RegistryDeviceTypes(database) },
      archive,
      clock,
      logLines,
    }),
  );
  service.start();
  return service;
}
