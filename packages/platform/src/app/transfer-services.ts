import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ArchiveIndex } from '../archive/archive-index.ts';
import { ARCHIVE_LIMITS } from '../columnar/columnar-limits.ts';
import { openParquetFiles } from '../columnar/open-parquet-files.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { TelemetryQueries } from '../telemetry/telemetry-queries.ts';
import { TelemetryTransfer } from '../transfer/telemetry-transfer.ts';
import type { DataPaths } from './data-folder.ts';

/** Export and import of telemetry; its process for Parquet begins with the first file, and ends when nobody needs it. */
export function openTransfer(options: {
  readonly paths: DataPaths;
  readonly telemetry: Pick<TelemetryQueries, 'range'>;
  readonly archive: ArchiveIndex | undefined;
  readonly clock: Clock;
  readonly logLines: LogLines;
  readonly ending: AsyncDisposableStack;
}): TelemetryTransfer {
  const { paths, telemetry, archive, clock, logLines, ending } = options;
  const folder = join(paths.root, 'transfer');
  // What an earlier process did not finish.
  rmSync(folder, { recursive: true, force: true });
  const parquet = ending.use(openParquetFiles({ limits: ARCHIVE_LIMITS, scratchDir: join(folder, 'engine'), clock, logLines }));
  return new TelemetryTransfer({ telemetry, archive, parquet, scratchDir: join(folder, 'files') });
}
