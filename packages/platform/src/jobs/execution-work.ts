import type { Batch } from '../state/batch.ts';
import type { ExecutionChange, ExecutionGate } from './executions.ts';
import { notifyDevices, type DeviceNews } from './execution-notices.ts';
import { writeExecutions, type ChangedExecution } from './execution-writing.ts';
import { readPending } from './execution-statements.ts';
import { dueAtMs, isTerminal, pendingOrder, type ChangeCause, type JobExecution } from './job-execution.ts';
import type { JobFacts, JobFactsReader } from './job-facts.ts';

const NO_JOBS: ReadonlySet<number> = new Set();

interface DeviceWork {
  /** QUEUED or IN_PROGRESS, in the order in which the device is to do them. */
  pending: JobExecution[];
  /** Jobs whose QUEUED executions are held back. */
  closed: ReadonlySet<number>;
  /** What the device was to see of it before. */
  visibleBefore: readonly JobExecution[];
  /** Something was done there. */
  touched: boolean;
}

/**
 * What one step of work within a batch does to the executions of some devices: it reads what is pending on them, takes changes one
 * after the other, and writes and tells all of it in the end.
 *
 * Invariant: a device has at most one execution of a job pending, and that is the latest of the job there.
 */
export class ExecutionWork {
  readonly #batch: Batch;
  readonly #gate: ExecutionGate | undefined;
  readonly #reader: JobFactsReader;
  readonly #devices = new Map<string, DeviceWork>();
  /** Of all jobs that are pending somewhere, or were asked for. */
  readonly #facts = new Map<number, JobFacts>();
  readonly #changed: ChangedExecution[] = [];
  #added = false;

  constructor(options: { readonly batch: Batch; readonly gate: ExecutionGate | undefined; readonly reader: JobFactsReader }) {
    this.#batch = options.batch;
    this.#gate = options.gate;
    this.#reader = options.reader;
  }

  /** Reads what is pending on devices that were not read yet. */
  async load(devices: Iterable<string>): Promise<void> {
    const fresh = [...new Set(devices)].filter((device) => !this.#devices.has(device));
    if (fresh.length === 0) return;
    const pending = new Map<string, JobExecution[]>(fresh.map((device) => [device, []]));
    const jobs = new Set<number>();
    for (const execution of await readPending(this.#batch.transaction, fresh)) {
      pending.get(execution.device)?.push(execution);
      jobs.add(execution.job);
    }
    await this.needFacts(jobs);
    for (const executions of pending.values()) executions.sort(pendingOrder);
    const closed = await this.#closedOf(pending);
    for (const [device, executions] of pending) {
      const closedHere = closed.get(device) ?? NO_JOBS;
      const visibleBefore = executions.filter((execution) => isVisible(execution, closedHere));
      this.#devices.set(device, { pending: executions, closed: closedHere, visibleBefore, touched: false });
    }
  }

  /** Reads facts of jobs, to be had by `factsOf`. */
  async needFacts(jobs: ReadonlySet<number>): Promise<void> {
    const missing = new Set([...jobs].filter((job) => !this.#facts.has(job)));
    if (missing.size === 0) return;
    for (const [job, facts] of await this.#reader.byNumber(missing, this.#batch)) this.#facts.set(job, facts);
  }

  /** Undefined: there is no such job any more. */
  factsOf(job: number): JobFacts | undefined {
    return this.#facts.get(job);
  }

  /** All that is pending on a device that was loaded, held back or not. */
  pendingOf(device: string): readonly JobExecution[] {
    return this.#devices.get(device)?.pending ?? [];
  }

  /** What a device is to see of it, in its order. */
  visibleOf(device: string): readonly JobExecution[] {
    const work = this.#devices.get(device);
    return work === undefined ? [] : work.pending.filter((execution) => isVisible(execution, work.closed));
  }

  isHeldBack(execution: JobExecution): boolean {
    return !isVisible(execution, this.#devices.get(execution.device)?.closed ?? NO_JOBS);
  }

  /**
   * Takes a new execution.
   *
   * @param replaced the one of the same job that was the device's latest until now.
   */
  add(execution: JobExecution, replaced: JobExecution | undefined): void {
    this.#added = true;
    this.#take(undefined, execution, undefined, replaced);
  }

  /**
   * Takes a change. Both are of the same execution, the latest that was taken or read.
   *
   * @param cause undefined where its version stays: only its step timer was set.
   */
  change(before: JobExecution, after: JobExecution, cause: ChangeCause | undefined): void {
    this.#take(before, after, cause, undefined);
  }

  /** Takes that the job is not held back any more on a device, which has it QUEUED. */
  release(job: number, device: string): void {
    const work = this.#devices.get(device);
    if (work === undefined) return;
    work.touched = true;
    work.visibleBefore = work.visibleBefore.filter((execution) => execution.job !== job);
  }

  /** Takes that the device has seen an execution until now which is held back: it hears that this is gone. */
  show(execution: JobExecution): void {
    const work = this.#devices.get(execution.device);
    if (work === undefined || work.visibleBefore.some(({ job }) => job === execution.job)) return;
    work.visibleBefore = [...work.visibleBefore, execution].sort(pendingOrder);
  }

  /** The first time that an execution which was taken may time out. */
  get earliestDueMs(): number | undefined {
    let earliest: number | undefined;
    for (const { after } of this.#changed) {
      const due = dueAtMs(after);
      if (due !== undefined && (earliest === undefined || due < earliest)) earliest = due;
    }
    return earliest;
  }

  /**
   * Writes all that was taken, and tells devices and those who watch.
   *
   * @param silent devices are not told: they are gone.
   * @returns executions that came to be or have another status, in their order.
   */
  async finish(options: { readonly silent?: boolean } = {}): Promise<readonly ExecutionChange[]> {
    if (this.#changed.length > 0) await writeExecutions(this.#changed, this.#batch);
    if (options.silent !== true) await this.#notify();
    for (const { before, after } of this.#changed) if (before?.version !== after.version) this.#tell(after);
    return this.#changed.filter(({ before, after }) => before?.status !== after.status).map(changeOf);
  }

  #take(
    before: JobExecution | undefined,
    after: JobExecution,
    cause: ChangeCause | undefined,
    replaced: JobExecution | undefined,
  ): void {
    this.#changed.push({ before, after, cause, replaced });
    const work = this.#devices.get(after.device);
    if (work === undefined) return;
    const others = work.pending.filter((each) => each.job !== after.job);
    work.pending = isTerminal(after.status) ? others : [...others, after].sort(pendingOrder);
    work.touched = true;
  }

  async #notify(): Promise<void> {
    const touched = new Map([...this.#devices].filter(([, work]) => work.touched));
    if (touched.size === 0) return;
    if (this.#added) {
      const closed = await this.#closedOf(new Map([...touched].map(([device, { pending }]) => [device, pending])));
      for (const [device, work] of touched) work.closed = closed.get(device) ?? NO_JOBS;
    }
    const news: DeviceNews[] = [];
    for (const [device, { visibleBefore }] of touched) news.push({ device, before: visibleBefore, now: this.visibleOf(device) });
    notifyDevices(news, this.#facts, this.#batch);
  }

  #tell({ device, job, number, status }: JobExecution): void {
    const facts = this.#facts.get(job);
    if (facts !== undefined && this.#batch.isWatched(device))
      this.#batch.tell({ kind: 'job', device, job: facts.id, execution: number, status });
  }

  async #closedOf(pending: ReadonlyMap<string, readonly JobExecution[]>): Promise<ReadonlyMap<string, ReadonlySet<number>>> {
    const queued = new Map<string, readonly number[]>();
    if (this.#gate === undefined) return new Map();
    for (const [device, executions] of pending) {
      const jobs = executions.filter(({ status }) => status === 'QUEUED').map(({ job }) => job);
      if (jobs.length > 0) queued.set(device, jobs);
    }
    return queued.size === 0 ? new Map() : await this.#gate.closed(queued, this.#batch);
  }
}

function isVisible({ status, job }: JobExecution, closed: ReadonlySet<number>): boolean {
  return status === 'IN_PROGRESS' || !closed.has(job);
}

function changeOf({ before, after, cause }: ChangedExecution): ExecutionChange {
  const { job, device, number, attempt } = after;
  return { job, device, number, attempt, from: before?.status, to: after.status, cause };
}
