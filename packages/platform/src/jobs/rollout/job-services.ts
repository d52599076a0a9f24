import type { Database, StateDatabase } from '../../database/schema.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { LogLines } from '../../kernel/log-lines.ts';
import { DeviceStore } from '../../registry/device-store.ts';
import { FleetStore } from '../../registry/fleet-store.ts';
import type { StateWriter } from '../../state/state-writer.ts';
import { executionCalls, type ExecutionCalls } from '../execution-calls.ts';
import { JobDomain } from '../job-domain.ts';
import { StoredExecutions } from '../stored-executions.ts';
import { jobControlCalls, type JobControlCalls } from './job-control.ts';
import { JobOrchestration } from './job-orchestration.ts';
import { JobRunner } from './job-runner.ts';
import { TargetReader } from './target-reader.ts';

/** What the API asks of the jobs' thread. */
export type JobCalls = ExecutionCalls & JobControlCalls;

/** All of jobs, put together: it belongs in the thread that writes the state. */
export interface JobServices extends AsyncDisposable {
  /** What devices see, and the first to follow the registry. */
  readonly domain: JobDomain;
  /** The second to follow the registry. */
  readonly orchestration: JobOrchestration;
  readonly runner: JobRunner;
  readonly calls: JobCalls;
  /** Lets timers run down and jobs go on where they were. */
  start(): Promise<void>;
}

export function openJobServices(dependencies: {
  readonly database: StateDatabase;
  readonly writer: StateWriter;
  /** To be read. */
  readonly registry: Database;
  readonly devices?: Pick<DeviceStore, 'list' | 'among' | 'groupOf'>;
  readonly clock: Clock;
  readonly logLines: LogLines;
  readonly stepSize?: number | undefined;
}): JobServices {
  const { database, writer, registry, clock, logLines } = dependencies;
  const { devices = new DeviceStore({ database: registry, clock }) } = dependencies;
  const fleets = new FleetStore({ database: registry, clock });
  const executions = new StoredExecutions();
  const domain = new JobDomain({ writer, executions, clock, logLines });
  const orchestration = new JobOrchestration({
    executions,
    registry,
    targets: new TargetReader({ devices, fleets, registry }),
    stepSize: dependencies.stepSize,
  });
  const runner = new JobRunner({ database, writer, orchestration, clock, logLines });
  return {
    domain,
    orchestration,
    runner,
    calls: { ...executionCalls(domain), ...jobControlCalls({ writer, orchestration, registry, devices, fleets }) },
    start: async () => {
      await domain.start();
      runner.start();
    },
    [Symbol.asyncDispose]: async () => {
      await runner[Symbol.asyncDispose]();
      await domain[Symbol.asyncDispose]();
    },
  };
}
