import { SelsynError } from '../kernel/errors.ts';
import type { Batch } from '../state/batch.ts';
import type { RegistryChange } from '../state/registry-changes.ts';
import { deleteTimers, hideExecutions, readOfJob } from './execution-statements.ts';
import { ExecutionWork } from './execution-work.ts';
import type { ExecutionFollower, ExecutionGate, Executions, NewExecution } from './executions.ts';
import { codeOf, dueAtMs, ended, isTerminal, queuedExecution, type ChangeCause, type JobExecution } from './job-execution.ts';
import { JobFactsReader } from './job-facts.ts';

/** Executions in the database, see {@link Executions}. */
export class StoredExecutions implements Executions {
  readonly #reader = new JobFactsReader();
  #onDue: ((dueMs: number) => void) | undefined;
  #follower: ExecutionFollower | undefined;
  #gate: ExecutionGate | undefined;

  follow(follower: ExecutionFollower): void {
    this.#follower = follower;
  }

  gate(gate: ExecutionGate): void {
    this.#gate = gate;
  }

  /** Who hears, once it is durable, that an execution times out then; one. */
  watchTimers(onDue: (dueMs: number) => void): void {
    this.#onDue = onDue;
  }

  /** A step of work on executions of a few devices; it must be finished. */
  work(batch: Batch): ExecutionWork {
    return new ExecutionWork({ batch, gate: this.#gate, reader: this.#reader });
  }

  /** Writes and tells what was done, and lets the orchestration hear of it. */
  async finish(work: ExecutionWork, batch: Batch, options: { readonly silent?: boolean } = {}): Promise<void> {
    const changes = await work.finish(options);
    const dueMs = work.earliestDueMs;
    if (dueMs !== undefined) batch.afterCommit(() => this.#onDue?.(dueMs));
    if (changes.length > 0) await this.#follower?.executionsChanged(changes, batch);
  }

  async remind(job: number, devices: readonly string[], batch: Batch): Promise<readonly string[]> {
    const work = this.work(batch);
    await work.load(devices);
    const queued = devices.filter((device) =>
      work.pendingOf(device).some((each) => each.job === job && each.status === 'QUEUED'),
    );
    for (const device of queued) work.release(job, device);
    await this.finish(work, batch);
    return queued;
  }

  async add(
    job: number,
    devices: readonly NewExecution[],
    batch: Batch,
    { again = false }: { readonly again?: boolean } = {},
  ): Promise<number> {
    const ids = devices.map(({ device }) => device);
    const latest = latestOf(await readOfJob(batch.transaction, job, ids));
    const work = this.work(batch);
    const wanted = new Map(devices.map((each) => [each.device, each]));
    for (const device of ids) {
      const known = latest.get(device);
      if (known !== undefined && (!isTerminal(known.status) || (!again && !known.deviceRemoved))) wanted.delete(device);
    }
    await work.load(wanted.keys());
    await work.needFacts(new Set([job]));
    for (const { device, attempt = 0 } of wanted.values()) {
      const known = latest.get(device);
      const key = { job, device, number: (known?.number ?? 0) + 1 };
      work.add(queuedExecution(key, attempt, batch.nowMs), known);
    }
    await this.finish(work, batch);
    return wanted.size;
  }

  async cancelAll(
    job: number,
    { force, cause, limit }: { readonly force: boolean; readonly cause: 'cancel' | 'abort'; readonly limit: number },
    batch: Batch,
  ): Promise<number> {
    let left = limit;
    for (const status of force ? (['QUEUED', 'IN_PROGRESS'] as const) : (['QUEUED'] as const)) {
      if (left <= 0) break;
      const rows = await batch.transaction
        .selectFrom('job_execution')
        .select('device')
        .where('job', '=', job)
        .where('status', '=', codeOf(status))
        .orderBy('device')
        .limit(left)
        .execute();
      const devices = rows.map(({ device }) => device);
      left -= await this.#end(job, devices, 'CANCELED', cause, batch);
    }
    return limit - left;
  }

  async cancel(
    job: number,
    device: string,
    { force, expectedVersion }: { readonly force: boolean; readonly expectedVersion?: number | undefined },
    batch: Batch,
  ): Promise<void> {
    const latest = latestOf(await readOfJob(batch.transaction, job, [device])).get(device);
    if (latest === undefined)
      throw new SelsynError('job-execution.not-found', `the job has no execution on the device ${device}`);
    const { status, version } = latest;
    const conflict = (why: string): SelsynError =>
      new SelsynError('job-execution.conflict', why, { details: { status, version } });
    if (expectedVersion !== undefined && expectedVersion !== version)
      throw conflict(`the execution has version ${version}, not ${expectedVersion}`);
    if (isTerminal(status)) throw conflict(`the execution has ended already: ${status}`);
    if (status === 'IN_PROGRESS' && !force) throw conflict('the execution is IN_PROGRESS: it is cancelled only by force');
    await this.#end(job, [device], 'CANCELED', 'cancel', batch);
  }

  async remove(job: number, devices: readonly string[], batch: Batch): Promise<number> {
    return await this.#end(job, devices, 'REMOVED', 'removed', batch);
  }

  async deleteAll(job: number, limit: number, batch: Batch): Promise<number> {
    const { transaction } = batch;
    const rows = await transaction
      .selectFrom('job_execution')
      .select('device')
      .where('job', '=', job)
      .orderBy('device')
      .limit(limit)
      .execute();
    const [first, last] = [rows[0]?.device, rows.at(-1)?.device];
    if (first !== undefined && last !== undefined) {
      for (const table of ['job_execution', 'job_execution_event', 'job_timer'] as const) {
        await transaction
          .deleteFrom(table)
          .where('job', '=', job)
          .where('device', '>=', first)
          .where('device', '<=', last)
          .execute();
      }
    }
    if (rows.length < limit) await transaction.deleteFrom('job_count').where('job', '=', job).execute();
    return rows.length;
  }

  /**
   * Ends executions whose time is over, at most `limit` of them.
   *
   * @returns when the next one is due; undefined: none is.
   */
  async expire(limit: number, batch: Batch): Promise<number | undefined> {
    const due = await batch.transaction
      .selectFrom('job_timer')
      .selectAll()
      .orderBy('due_at_ms')
      .limit(limit + 1)
      .execute();
    const over = due.slice(0, limit).filter(({ due_at_ms }) => Number(due_at_ms) <= batch.nowMs);
    if (over.length > 0) {
      const work = this.work(batch);
      await work.load(over.map(({ device }) => device));
      for (const { job, device } of over) {
        const before = work.pendingOf(device).find((each) => each.job === Number(job));
        const dueMs = before === undefined ? undefined : dueAtMs(before);
        // It cannot be that a timer has no execution; if it were, it must not stand before all others for ever.
        if (before === undefined || dueMs === undefined) await deleteTimers(batch.transaction, Number(job), [device]);
        if (before === undefined || dueMs === undefined) continue;
        const after = ended(before, 'TIMED_OUT', batch.nowMs);
        if (after !== undefined) work.change(before, after, dueMs === before.stepDeadlineMs ? 'step-timeout' : 'timeout');
      }
      await this.finish(work, batch);
    }
    const next = due[over.length];
    return next === undefined ? undefined : Number(next.due_at_ms);
  }

  async forget(devices: readonly string[], batch: Batch): Promise<void> {
    await this.#purge(new Map(devices.map((device) => [device, Number.MAX_SAFE_INTEGER])), batch);
  }

  /** Devices are no more: what they have pending becomes REMOVED, and whoever has such an id from now on does not see any of it. */
  async purge(removed: readonly RegistryChange[], batch: Batch): Promise<void> {
    await this.#purge(new Map(removed.map(({ device, atMs }) => [device, atMs])), batch);
  }

  /** @param before of each device, until when what was queued for it is meant. */
  async #purge(before: ReadonlyMap<string, number>, batch: Batch): Promise<void> {
    const work = this.work(batch);
    await work.load(before.keys());
    for (const [device, atMs] of before) {
      for (const execution of work.pendingOf(device)) {
        const after = execution.queuedAtMs <= atMs ? ended(execution, 'REMOVED', batch.nowMs) : undefined;
        if (after !== undefined) work.change(execution, after, 'removed');
      }
    }
    await this.finish(work, batch, { silent: true });
    for (const [device, atMs] of before) await hideExecutions(batch.transaction, device, atMs);
  }

  async #end(
    job: number,
    devices: readonly string[],
    status: 'CANCELED' | 'REMOVED',
    cause: ChangeCause,
    batch: Batch,
  ): Promise<number> {
    if (devices.length === 0) return 0;
    const work = this.work(batch);
    await work.load(devices);
    let count = 0;
    for (const device of new Set(devices)) {
      const before = work.pendingOf(device).find((each) => each.job === job);
      const after = before === undefined ? undefined : ended(before, status, batch.nowMs);
      if (before === undefined || after === undefined) continue;
      // Since the job is cancelled it was held back: without this nobody would tell the device that it is gone.
      work.show(before);
      work.change(before, after, cause);
      count++;
    }
    await this.finish(work, batch);
    return count;
  }
}

/** By device, the one with the highest number. */
function latestOf(executions: readonly JobExecution[]): ReadonlyMap<string, JobExecution> {
  const latest = new Map<string, JobExecution>();
  for (const execution of executions) {
    const known = latest.get(execution.device);
    if (known === undefined || known.number < execution.number) latest.set(execution.device, execution);
  }
  return latest;
}
