import type { Registry } from 'prom-client';
import type { ArchiveCalls } from '../archive/archive-calls.ts';
import type { OwnMessage } from '../broker/own-message.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Caller } from '../kernel/thread-channel.ts';
import type { RetentionCalls } from '../retention/retention-calls.ts';
import type { UpkeepStoreCalls } from '../telemetry/upkeep-calls.ts';
import { openArchiveUpkeep } from './archive-services.ts';
import type { Config } from './config-schema.ts';
import type { DataPaths } from './data-folder.ts';
import { openRetentionUpkeep } from './retention-services.ts';

/** All that main may ask of the upkeep thread, besides what is its own. */
export type UpkeepCalls = ArchiveCalls & RetentionCalls;

/** What keeps the store small and safe: retention, archive, erasure. */
export interface UpkeepServices extends AsyncDisposable {
  readonly calls: UpkeepCalls;
  /** What goes on by itself. */
  start(): void;
}

export async function openUpkeepServices(options: {
  readonly config: Config;
  readonly paths: DataPaths;
  /** Of the telemetry log: it refuses while the volume is short of space. */
  readonly logShared: SharedArrayBuffer;
  /** To be read. */
  readonly registry: Database;
  readonly store: Caller<UpkeepStoreCalls>;
  /** Sends to whoever subscribes, without an answer. */
  readonly publish: (messages: readonly OwnMessage[]) => void;
  readonly clock: Clock;
  readonly metrics: Registry;
  readonly logLines: LogLines;
}): Promise<UpkeepServices> {
  // Each part is opened here, in the order in which one needs the other.
  await using opening = new AsyncDisposableStack();
  const archive = opening.use(await openArchiveUpkeep(options));
  const retention = opening.use(openRetentionUpkeep({ ...options, archive: archive.retention }));
  const open = opening.move();
  return {
    calls: { ...archive.calls, ...retention.calls },
    start: () => {
      archive.start();
      retention.start();
    },
    [Symbol.asyncDispose]: async () => await open.disposeAsync(),
  };
}
