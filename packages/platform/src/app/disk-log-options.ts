import { systemClock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { DiskLogOptions } from '../log/drivers/disk/disk-options.ts';
import type { Config } from './config-schema.ts';
import type { DataPaths } from './data-folder.ts';
import { backlogBounds } from './forwarding-settings.ts';

const HOUR_MS = 3_600_000;

/** What all threads open the telemetry stream with; the role is their own. */
export function diskLogOptions(from: {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly shared: SharedArrayBuffer;
  readonly logLines: LogLines;
}): Omit<DiskLogOptions, 'role'> {
  const { log, mqtt, forwarding } = from.config;
  return {
    dir: from.paths.telemetryLog,
    shared: from.shared,
    clock: systemClock,
    logLines: from.logLines,
    sync: log.sync,
    syncIntervalMs: log.syncIntervalMs,
    segmentBytes: log.segmentBytes,
    maxRecordBytes: mqtt.maxPacketBytes,
    retention: { maxAgeMs: log.retentionHours * HOUR_MS, maxBytes: log.retentionBytes },
    held: backlogBounds(forwarding),
  };
}
