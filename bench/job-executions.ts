/*
 * Claim: a job for 1,000,000 devices has its executions queued in less than a minute, and then the pending list of one device takes
 * less than 5 ms, as does what it reports.
 *
 * Workload: the executions of one job are queued in steps of 500, as the orchestration does it, one transaction each, with the messages
 * to devices (notify, notify-next) made and thrown away. Then devices one at a time: pending list, start-next, progress, the end, each
 * durable before the answer; and what operators read: counts, pages of the list. In a file, by the writer of the state; no MQTT.
 */
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { migrate } from '@selsyn/platform/database/migrate.ts';
import { openSqliteDatabase } from '@selsyn/platform/database/drivers/sqlite/sqlite-database.ts';
import type { StateDatabase, StateSchema } from '@selsyn/platform/database/schema.ts';
import { STATE_MIGRATIONS } from '@selsyn/platform/database/state-migrations.ts';
import { ExecutionStore } from '@selsyn/platform/jobs/execution-store.ts';
import { JobDomain } from '@selsyn/platform/jobs/job-domain.ts';
import type { JobRequest } from '@selsyn/platform/jobs/job-request.ts';
import { StoredExecutions } from '@selsyn/platform/jobs/stored-executions.ts';
import { systemClock } from '@selsyn/platform/kernel/clock.ts';
import { silentLogLines } from '@selsyn/platform/kernel/log-lines.ts';
import type { Batch } from '@selsyn/platform/state/batch.ts';
import type { StateDomain } from '@selsyn/platform/state/state-domain.ts';
import { StateWriter } from '@selsyn/platform/state/state-writer.ts';
import { temporaryFolder } from './harness/child-server.ts';
import { onAbruptEnd } from './harness/exit-cleanup.ts';
import { describeMachine } from './harness/machine.ts';
import { amount } from './harness/phase.ts';
import { ms, quantile, whole, type ClaimResult, type Row } from './harness/report.ts';

const DEVICES: number = amount(1_000_000);
const STEP = 500;
const ROUNDS = 2_000;
const CREATION_TARGET_S = 60;
const TARGET_MS = 5;

type Step = (batch: Batch) => Promise<unknown>;

/** Any function as a work. */
const STEPS: StateDomain<Step, unknown> = {
  name: 'steps',
  apply: async (steps, batch) => {
    const results: unknown[] = [];
    for (const step of steps) results.push(await step(batch));
    return results;
  },
};

export async function jobExecutions(): Promise<ClaimResult> {
  const folder = temporaryFolder();
  const forget = onAbruptEnd(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'state.db');
  const file = openSqliteDatabase<StateSchema>(path);
  try {
    const { database } = file;
    await migrate(database, STATE_MIGRATIONS);
    let published = 0;
    const outlet = {
      publish: (messages: readonly unknown[]) => void (published += messages.length),
      isWatched: () => false,
      tell: () => {},
    };
    const writer = new StateWriter({ database, outlet, clock: systemClock, logLines: silentLogLines });
    const executions = new StoredExecutions();
    const domain = new JobDomain({ writer, executions, clock: systemClock, logLines: silentLogLines });
    const store = new ExecutionStore({ database });
    const job = await addJob(database);

    const stepsMs: number[] = [];
    const startedMs = performance.now();
    for (let start = 0; start < DEVICES; start += STEP) {
      const devices = Array.from({ length: Math.min(STEP, DEVICES - start) }, (_, i) => ({ device: deviceOf(start + i) }));
      const stepMs = performance.now();
      await writer.run(STEPS, async (batch) => await executions.add(job, devices, batch));
      stepsMs.push(performance.now() - stepMs);
    }
    const creationS = (performance.now() - startedMs) / 1000;
    const ask = (request: (device: string) => JobRequest) => async (round: number) =>
      await domain.ask(request(deviceOf((round * 7_919) % DEVICES)));
    const report = (status: 'IN_PROGRESS' | 'SUCCEEDED') =>
      ask((device) => ({
        operation: 'update',
        device,
        job: 'bench',
        number: undefined,
        report: { status, details: { progress: '50%' }, stepTimeoutMs: undefined },
        expectedVersion: undefined,
        withState: true,
        withDocument: false,
      }));
    const timings = {
      'pending list of a device': await timed(ask((device) => ({ operation: 'pending', device }))),
      'start-next': await timed(
        ask((device) => ({ operation: 'start-next', device, details: undefined, stepTimeoutMs: 300_000 })),
      ),
      'report of progress': await timed(report('IN_PROGRESS')),
      'report of the end': await timed(report('SUCCEEDED')),
      'counts by status': await timed(async () => await store.counts(job)),
      'page of 100, by status': await timed(
        paging(async (cursor) => await store.ofJob({ job, status: 'QUEUED', limit: 100, cursor })),
      ),
    };
    const rows: Row[] = [
      {
        what: `${whole(DEVICES)} executions queued`,
        selsyn: `${creationS.toFixed(1)} s (${whole(DEVICES / creationS)}/s), p99 of a step ${ms(quantile(stepsMs, 0.99))}`,
        target: `${CREATION_TARGET_S} s`,
        holds: creationS < CREATION_TARGET_S,
      },
      ...Object.entries(timings).map(([what, times]) => ({
        what,
        selsyn: `${ms(quantile(times, 0.5))} / ${ms(quantile(times, 0.99))}`,
        ...(what.startsWith('pending') && { target: `p99 ${TARGET_MS} ms`, holds: quantile(times, 0.99) < TARGET_MS }),
      })),
    ];
    const measured = {
      devices: DEVICES,
      creationS,
      published,
      databaseBytes: statSync(path).size,
      timings: Object.entries(timings).map(([what, times]) => ({
        what,
        p50Ms: quantile(times, 0.5),
        p99Ms: quantile(times, 0.99),
      })),
    };
    await writer[Symbol.asyncDispose]();
    return {
      claim: 'job-executions',
      workload: `one job on ${whole(DEVICES)} devices; p50 / p99 of ${whole(ROUNDS)} calls, one at a time, durable where they write`,
      machine: describeMachine(),
      rows,
      measured,
    };
  } finally {
    await file[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
    forget();
  }
}

function deviceOf(index: number): string {
  return `device-${String(index).padStart(8, '0')}`;
}

async function addJob(database: StateDatabase): Promise<number> {
  const nowMs = systemClock.now();
  const { number } = await database
    .insertInto('job')
    .values({
      id: 'bench',
      group_path: '/',
      status: 'IN_PROGRESS',
      selection: 'snapshot',
      targets: '["group:/"]',
      document: JSON.stringify({ operation: 'install', url: 'https://example.com/firmware-1.2.3.bin', version: '1.2.3' }),
      description: null,
      config: '{}',
      in_progress_timeout_ms: 3_600_000,
      progress: '{}',
      next_at_ms: null,
      created_at_ms: nowMs,
      updated_at_ms: nowMs,
      completed_at_ms: null,
    })
    .returning('number')
    .executeTakeFirstOrThrow();
  return Number(number);
}

/** Each call reads the next page. */
function paging(read: (cursor: string | undefined) => Promise<{ readonly cursor?: string }>): () => Promise<void> {
  let cursor: string | undefined;
  return async () => {
    cursor = (await read(cursor)).cursor;
  };
}

async function timed(run: (round: number) => Promise<unknown>): Promise<readonly number[]> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const startMs = performance.now();
    await run(round);
    times.push(performance.now() - startMs);
  }
  return times;
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(await jobExecutions(), undefined, 2)}\n`);
