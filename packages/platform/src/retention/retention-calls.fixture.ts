import { localCaller, type Caller } from '../kernel/thread-channel.ts';
import type { RetentionCalls } from './retention-calls.ts';
import type { RetentionPlan } from './retention-plan.ts';
import type { RetentionPolicy } from './retention-policy.ts';
import type { PassReport } from './retention-runner.ts';
import type { StorageReport } from './storage-report.ts';

const AT_MS = 1_700_000_000_000;

export const PLAN: RetentionPlan = {
  atMs: AT_MS,
  freesBytes: 4096,
  steps: [
    {
      level: 'raw',
      file: 'days/2023-11-01.db',
      from: '2023-11-01',
      to: '2023-11-01',
      action: 'drop',
      sizeBytes: 4096,
      freesBytes: 4096,
    },
    {
      level: 'hourly',
      file: 'rollups/hourly/2023-07-31.db',
      from: '2023-07-31',
      to: '2023-08-06',
      action: 'trim',
      sizeBytes: 8192,
      freesBytes: 100,
      blocked: 'held',
    },
  ],
};

export const PASS: PassReport = {
  atMs: AT_MS,
  freedBytes: 4096,
  files: 1,
  blocked: [{ file: 'rollups/hourly/2023-07-31.db', because: 'held' }],
  interrupted: false,
};

const NOTHING = { bytes: 0, files: 0 };

export const STORAGE: StorageReport = {
  atMs: AT_MS,
  volume: { state: 'low', sizeBytes: 1e9, freeBytes: 9e7, floorBytes: 5e7, whenShort: 'drop-oldest', sinceMs: AT_MS },
  levels: { raw: { bytes: 4096, files: 1, from: '2023-11-01', to: '2023-11-01' }, hourly: NOTHING, daily: NOTHING },
  future: NOTHING,
  broken: NOTHING,
  archive: NOTHING,
  archiveElsewhere: { bytes: 3000, files: 2 },
  archiveCache: NOTHING,
  log: { bytes: 100, files: 1 },
  other: { bytes: 10, files: 2 },
  rateOf: '2023-11-01',
  forecast: {
    bytesPerDay: { raw: 4096, hourly: 0, daily: 0 },
    archive: { bytes: 3000, bytesPerDay: 1000, onVolume: true },
    points: [{ atMs: AT_MS + 86_400_000, inDays: 1, bytes: 8192, archiveBytes: 4000, freeBytes: 8e7 }],
    floorAtMs: AT_MS + 9_000_000_000,
    steadyBytes: undefined,
  },
};

/** Stands for the upkeep thread: keeps what it was asked, and answers what is above. */
export class FakeRetentionUpkeep {
  readonly asked: string[] = [];
  policies: readonly RetentionPolicy[] | undefined;
  believed = true;

  readonly caller: Caller<RetentionCalls> = localCaller<RetentionCalls>({
    retentionPlan: ({ policies }) => {
      this.asked.push('plan');
      this.policies = policies;
      return Promise.resolve(PLAN);
    },
    retentionRun: () => {
      this.asked.push('run');
      return Promise.resolve(PASS);
    },
    retentionStatus: () => ({
      clock: this.believed
        ? { believed: true }
        : { believed: false, nowMs: AT_MS, lastSeenMs: 0, message: 'the clock has jumped' },
      lastPass: PASS,
      letGo: [{ ...PLAN.steps[0]!, atMs: AT_MS, because: 'age', freedBytes: 4096 }],
    }),
    retentionChanged: () => {
      this.asked.push('changed');
      return Promise.resolve();
    },
    confirmClock: () => {
      this.asked.push('confirm-clock');
      this.believed = true;
    },
    storage: () => Promise.resolve(STORAGE),
  });
}
