import { dirname } from 'node:path';
import { Gauge, type Registry } from 'prom-client';
import type { OwnMessage } from '../broker/own-message.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { total } from '../kernel/metrics.ts';
import type { Caller } from '../kernel/thread-channel.ts';
import { setRefusing } from '../log/drivers/disk/shared-positions.ts';
import type { SpaceStatus } from '../retention/free-space.ts';
import { LegalHoldStore } from '../retention/legal-holds.ts';
import type { RetentionCalls } from '../retention/retention-calls.ts';
import { RetentionControl } from '../retention/retention-control.ts';
import { RetentionPolicies } from '../retention/retention-policies.ts';
import { RetentionService, type RetainedArchive } from '../retention/retention-service.ts';
import type { UpkeepStoreCalls } from '../telemetry/upkeep-calls.ts';
import type { Config } from './config-schema.ts';
import type { DataPaths } from './data-folder.ts';

/** Retained: whoever subscribes learns how it is. */
const STORAGE_TOPIC = '$selsyn/status/storage';
const CLOSE_GONE_MS = 10_000;

/** Retention in the upkeep thread. */
export function openRetentionUpkeep(options: {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly logShared: SharedArrayBuffer;
  /** To be read. */
  readonly registry: Database;
  readonly store: Caller<UpkeepStoreCalls>;
  readonly archive: RetainedArchive | undefined;
  readonly publish: (messages: readonly OwnMessage[]) => void;
  readonly clock: Clock;
  readonly metrics: Registry;
  readonly logLines: LogLines;
}): RetentionService {
  const { config, paths, logShared, registry, store, archive, publish, clock, metrics, logLines } = options;
  const service = new RetentionService({
    folders: { root: paths.root, telemetry: paths.telemetry, archive: paths.archive, log: dirname(paths.telemetryLog) },
    registry,
    store,
    archive,
    floorBytes: config.retention.freeFloorBytes,
    whenShort: config.retention.whenShort,
    refuse: (refusing) => setRefusing(logShared, refusing),
    announce: (status) => publish([messageOf(status, clock.now())]),
    clock,
    logLines,
  });
  registerRetentionMetrics(metrics, service);
  return service;
}

/** What main has of retention: what is said about it, and the other end of what is done. */
export function openRetentionMain(options: {
  readonly database: Database;
  readonly upkeep: Caller<RetentionCalls>;
  /** Whoever in this thread has files of telemetry open. */
  readonly readers: { closeGone(): void };
  readonly clock: Clock;
}): Disposable & { readonly control: RetentionControl } {
  const { database, upkeep, readers, clock } = options;
  let cancel: () => void;
  const closeGone = (): void => {
    readers.closeGone();
    cancel = clock.after(CLOSE_GONE_MS, closeGone);
  };
  cancel = clock.after(CLOSE_GONE_MS, closeGone);
  return {
    control: new RetentionControl({
      policies: new RetentionPolicies({ database, clock }),
      holds: new LegalHoldStore({ database, clock }),
      upkeep,
    }),
    [Symbol.dispose]: () => cancel(),
  };
}

function messageOf({ state, freeBytes, floorBytes, sizeBytes, whenShort }: SpaceStatus, atMs: number): OwnMessage {
  const text = JSON.stringify({ state, freeBytes, floorBytes, sizeBytes, whenShort, ts: atMs });
  return { topic: STORAGE_TOPIC, payload: Buffer.from(text), qos: 1, retain: true };
}

function registerRetentionMetrics(metrics: Registry, { runner, space }: RetentionService): void {
  const gauges: readonly [name: string, help: string, read: () => number][] = [
    ['storage_free_bytes', 'Bytes that the volume of the data folder has left', () => space.status.freeBytes],
    ['storage_floor_bytes', 'Bytes of it that are to stay free', () => space.status.floorBytes],
    ['storage_low', '1 while it is near its floor or below', () => Number(space.status.state !== 'ok')],
    ['storage_refusing', '1 while telemetry is refused for want of space', () => Number(space.status.state === 'refusing')],
    [
      'retention_clock_believed',
      '0 while nothing is let go by age, for the clock has jumped',
      () => Number(runner.clock().believed),
    ],
  ];
  for (const [name, help, read] of gauges) {
    const gauge: Gauge = new Gauge({ name: `selsyn_${name}`, help, registers: [metrics], collect: () => gauge.set(read()) });
  }
  total(metrics, 'selsyn_retention_freed_bytes_total', 'Bytes of telemetry that were let go', () => runner.freedBytes);
}
