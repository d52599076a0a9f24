import type { Batch } from '../state/batch.ts';
import { summariesOf } from './execution-notices.ts';
import { readOfJob } from './execution-statements.ts';
import type { ExecutionWork } from './execution-work.ts';
import { dataOf, stateOf, type JobFault, type JobResult } from './job-answers.ts';
import { isTerminal, reported, withStepTimer, type JobExecution } from './job-execution.ts';
import { jobNumbers } from './job-facts.ts';
import type { JobRequest } from './job-request.ts';

type Asked<K extends JobRequest['operation']> = Extract<JobRequest, { operation: K }>;

/** Answers what devices ask of their jobs, in the order in which they ask, within one step of work. */
export class DeviceJobs {
  readonly #work: ExecutionWork;
  readonly #batch: Batch;
  /** Numbers of jobs that were asked for by ids which are not pending on the device that asks. */
  #numbers: ReadonlyMap<string, number> = new Map();
  /** By job, device and number: what is not pending, or is so no more. */
  readonly #settled = new Map<string, JobExecution>();
  /** Numbers of the jobs of these, by id. */
  readonly #settledJobs = new Map<string, number>();

  constructor(work: ExecutionWork, batch: Batch) {
    this.#work = work;
    this.#batch = batch;
  }

  /** Reads what the requests need, in a few statements. */
  async prepare(requests: readonly JobRequest[]): Promise<void> {
    await this.#work.load(requests.map(({ device }) => device));
    const absent: (Asked<'describe' | 'update'> & { readonly job: string })[] = [];
    for (const request of requests) {
      if (request.operation !== 'describe' && request.operation !== 'update') continue;
      const { job, device, number } = request;
      if (job === undefined) continue;
      const pending = this.#pendingOf(device, job);
      if (pending === undefined || (number !== undefined && number !== pending.number)) absent.push({ ...request, job });
    }
    if (absent.length === 0) return;
    this.#numbers = await jobNumbers(this.#batch.transaction, new Set(absent.map(({ job }) => job)));
    const devices = new Map<number, Set<string>>();
    for (const { job, device } of absent) {
      const number = this.#numbers.get(job);
      if (number === undefined) continue;
      const asked = devices.get(number) ?? new Set();
      devices.set(number, asked.add(device));
    }
    await this.#work.needFacts(new Set(devices.keys()));
    for (const [job, asked] of devices) {
      for (const execution of await readOfJob(this.#batch.transaction, job, [...asked])) {
        if (isTerminal(execution.status) && !execution.deviceRemoved) this.#settle(execution);
      }
    }
  }

  /** @throws never for what the request is at fault. */
  answer(request: JobRequest): JobResult {
    switch (request.operation) {
      case 'pending':
        return this.#pending(request);
      case 'start-next':
        return this.#startNext(request);
      case 'describe':
        return this.#describe(request);
      case 'update':
        return this.#update(request);
    }
  }

  #pending({ device }: Asked<'pending'>): JobResult {
    const facts = { get: (job: number) => this.#work.factsOf(job) };
    const { inProgress, queued } = summariesOf(this.#work.visibleOf(device), facts);
    return { kind: 'pending', inProgressJobs: inProgress, queuedJobs: queued };
  }

  #startNext({ device, details, stepTimeoutMs }: Asked<'start-next'>): JobResult {
    const next = this.#work.visibleOf(device)[0];
    const facts = next === undefined ? undefined : this.#work.factsOf(next.job);
    if (next === undefined || facts === undefined) return { kind: 'execution', execution: undefined, document: undefined };
    const { nowMs } = this.#batch;
    let now = next;
    if (next.status === 'QUEUED') {
      now = reported(next, { status: 'IN_PROGRESS', details, stepTimeoutMs }, facts.timeoutMs, nowMs) ?? next;
      this.#work.change(next, now, 'device');
    } else if (stepTimeoutMs !== undefined) {
      // What is under way stays as it is, but for the timer: the device asks again after a restart.
      now = withStepTimer(next, stepTimeoutMs, nowMs);
      this.#work.change(next, now, undefined);
    }
    return { kind: 'execution', execution: dataOf(now, facts, nowMs), document: facts.document };
  }

  #describe({ device, job, number, withDocument }: Asked<'describe'>): JobResult {
    const execution = job === undefined ? this.#work.visibleOf(device)[0] : this.#find(device, job, number);
    const facts = execution === undefined ? undefined : this.#work.factsOf(execution.job);
    if (execution === undefined || facts === undefined)
      return job === undefined ? { kind: 'execution', execution: undefined, document: undefined } : refused(NOT_FOUND);
    if (isTerminal(execution.status))
      return refused({ code: 'TerminalStateReached', message: `The job execution has ended: ${execution.status}` });
    const document = withDocument ? facts.document : undefined;
    return { kind: 'execution', execution: dataOf(execution, facts, this.#batch.nowMs), document };
  }

  #update({ device, job, number, report, expectedVersion, withState, withDocument }: Asked<'update'>): JobResult {
    const before = this.#find(device, job, number);
    const facts = before === undefined ? undefined : this.#work.factsOf(before.job);
    if (before === undefined || facts === undefined) return refused(NOT_FOUND);
    if (expectedVersion !== undefined && expectedVersion !== before.version) {
      const message = `The job execution has version ${before.version}, not ${expectedVersion}`;
      return refused({ code: 'VersionMismatch', message, executionState: stateOf(before) });
    }
    if (before.status === 'QUEUED' && this.#work.isHeldBack(before))
      return refused(
        transitionFault(before, 'The job may not be begun now: it is cancelled, or outside of its maintenance window'),
      );
    const after = reported(before, report, facts.timeoutMs, this.#batch.nowMs);
    if (after === undefined) return refused(transitionFault(before, `The job execution has ended already: ${before.status}`));
    this.#work.change(before, after, 'device');
    if (isTerminal(after.status)) this.#settle(after);
    return {
      kind: 'updated',
      state: withState ? stateOf(after) : undefined,
      document: withDocument ? facts.document : undefined,
    };
  }

  /** @param number undefined: the latest. */
  #find(device: string, job: string, number: number | undefined): JobExecution | undefined {
    const pending = this.#pendingOf(device, job);
    if (pending !== undefined && (number === undefined || number === pending.number)) return pending;
    const jobNumber = pending?.job ?? this.#numbers.get(job) ?? this.#settledJobs.get(job);
    if (jobNumber === undefined) return undefined;
    return this.#settled.get(settledKey(jobNumber, device, number));
  }

  #pendingOf(device: string, job: string): JobExecution | undefined {
    return this.#work.pendingOf(device).find((execution) => this.#work.factsOf(execution.job)?.id === job);
  }

  #settle(execution: JobExecution): void {
    const { job, device, number } = execution;
    this.#settled.set(settledKey(job, device, number), execution);
    const latest = this.#settled.get(settledKey(job, device, undefined));
    if (latest === undefined || latest.number <= number) this.#settled.set(settledKey(job, device, undefined), execution);
    const facts = this.#work.factsOf(job);
    if (facts !== undefined) this.#settledJobs.set(facts.id, job);
  }
}

const NOT_FOUND: JobFault = { code: 'ResourceNotFound', message: 'There is no such job execution' };

function transitionFault(execution: JobExecution, message: string): JobFault {
  return { code: 'InvalidStateTransition', message, executionState: stateOf(execution) };
}

function refused(fault: JobFault): JobResult {
  return { kind: 'refused', fault };
}

function settledKey(job: number, device: string, number: number | undefined): string {
  return `${job} ${number ?? ''} ${device}`;
}
