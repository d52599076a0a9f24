import type { Database, StateDatabase } from '../../database/schema.ts';
import type { DeviceId } from '../../kernel/device-id.ts';
import { isSelsynError, type ErrorCode, type SelsynError } from '../../kernel/errors.ts';
import { readDevices } from '../../registry/device-rows.ts';
import { isWithin } from '../../registry/group-path.ts';
import type { Batch } from '../../state/batch.ts';
import type { GroupChange, RegistryChange, RegistryFollower } from '../../state/registry-changes.ts';
import type { StateDomain } from '../../state/state-domain.ts';
import type { ExecutionChange, ExecutionFollower, ExecutionGate, Executions } from '../executions.ts';
import { isTerminal } from '../job-execution.ts';
import { mayRetry } from './abort-rule.ts';
import { dismiss, enlist, hasWindows } from './enlist.ts';
import { openOf } from './job-counts.ts';
import { aborted, completed, followsFleets, isDone, stepOf } from './job-step.ts';
import type { JobTarget } from './job-targets.ts';
import { cancelExecution, cancelJob, changeJob, createJob, deleteJob, type JobWork } from './job-works.ts';
import { timeZoneOf, WindowCalendar } from './maintenance-windows.ts';
import { isOffered } from './offered.ts';
import { listJobs, readActive, readCounts, readJobs, updateJob, type StoredJob } from './stored-job.ts';
import type { TargetReader } from './target-reader.ts';
import { dropDevices, jobsOfDevices, putWaiting, reconsiderDevices, REMINDER } from './waiting-list.ts';

/** One transaction with so many devices takes some 15 ms. */
const STEP = 1_000;
/** All of them come before anything is written. */
const REFUSALS: readonly ErrorCode[] = [
  'request.invalid',
  'job.not-found',
  'job.exists',
  'job.conflict',
  'job-execution.not-found',
  'job-execution.conflict',
];
const JOBS_AT_ONCE = 500;

/**
 * What jobs do as a whole: who gets them, when and how fast, when they are tried again, aborted, over. All of it is in the rows of the
 * jobs; nothing is kept here between batches, so that there is nothing to undo and nothing to recover.
 *
 * It must follow the registry after the executions do.
 */
export class JobOrchestration
  implements StateDomain<JobWork, SelsynError | null>, RegistryFollower, ExecutionFollower, ExecutionGate
{
  readonly name = 'job-orchestration';
  readonly #executions: Executions;
  readonly #registry: Database;
  readonly #targets: TargetReader;
  readonly #limit: number;
  readonly #calendar = new WindowCalendar();
  #wake: () => void = () => {};
  /** Jobs whose rows are in the hands of this batch: what is told of their executions meanwhile is seen at the end of it. */
  readonly #inHand = new Set<number>();

  constructor(dependencies: {
    readonly executions: Executions;
    /** To be read. */
    readonly registry: Database;
    readonly targets: TargetReader;
    /** Devices that each part of a step is about. */
    readonly stepSize?: number | undefined;
  }) {
    this.#executions = dependencies.executions;
    this.#registry = dependencies.registry;
    this.#targets = dependencies.targets;
    this.#limit = dependencies.stepSize ?? STEP;
    this.#executions.follow(this);
    this.#executions.gate(this);
  }

  /** Who is told, after a commit, that there may be steps to do. */
  onWork(wake: () => void): void {
    this.#wake = wake;
  }

  /** Jobs that mean other devices than they did, because a fleet was changed: a step of each finds them. */
  async changedMeanings(database: StateDatabase): Promise<readonly number[]> {
    const changed: number[] = [];
    for (const job of await readActive(database, { selection: 'continuous' })) {
      if (!followsFleets(job) || job.progress.walk !== undefined) continue;
      if (job.progress.meaning !== (await this.#targets.meaning(job))) changed.push(job.number);
    }
    return changed;
  }

  /** A refusal is the result: a SelsynError. Null: it was done. */
  async apply(works: readonly JobWork[], batch: Batch): Promise<readonly (SelsynError | null)[]> {
    const results: (SelsynError | null)[] = [];
    for (const work of works) {
      try {
        await this.#do(work, batch);
        results.push(null);
      } catch (error) {
        // Whatever else it is may have come in the middle: then all is undone.
        if (work.kind === 'step' || !isSelsynError(error, ...REFUSALS)) throw error;
        results.push(error);
      }
    }
    batch.afterCommit(() => this.#wake());
    return results;
  }

  async executionsChanged(changes: readonly ExecutionChange[], batch: Batch): Promise<void> {
    const ofJobs = new Map<number, ExecutionChange[]>();
    for (const change of changes) {
      if (!isTerminal(change.to) || this.#inHand.has(change.job)) continue;
      const known = ofJobs.get(change.job);
      if (known === undefined) ofJobs.set(change.job, [change]);
      else known.push(change);
    }
    if (ofJobs.size === 0) return;
    const jobs = (await readJobs(batch.transaction, ofJobs.keys())).filter(({ status }) => status === 'IN_PROGRESS');
    for (const job of jobs) await this.#tryAgain(job, ofJobs.get(job.number) ?? [], batch);
    const counts = await readCounts(
      batch.transaction,
      jobs.map(({ number }) => number),
    );
    for (const job of jobs) {
      const now = counts.get(job.number)!;
      const over = aborted(job, now, batch);
      if (over !== undefined) {
        await updateJob(batch.transaction, over);
        batch.afterCommit(() => this.#wake());
      } else if (isDone(job, openOf(now))) {
        await updateJob(batch.transaction, completed(job, batch.nowMs));
        batch.afterCommit(() => this.#wake());
      }
    }
  }

  async closed(queued: ReadonlyMap<string, readonly number[]>, batch: Batch): Promise<ReadonlyMap<string, ReadonlySet<number>>> {
    const jobs = new Map((await readJobs(batch.transaction, [...queued.values()].flat())).map((job) => [job.number, job]));
    const isTimed = (number: number): boolean => hasWindows(jobs.get(number) ?? { config: {} });
    const ids = [...queued].filter(([, numbers]) => numbers.some(isTimed)).map(([device]) => device);
    const stored = ids.length === 0 ? [] : await readDevices(this.#registry, { ids });
    const attributes = new Map(stored.map(({ device }) => [device.id as string, device.attributes]));
    const closed = new Map<string, Set<number>>();
    for (const [device, numbers] of queued) {
      for (const number of numbers) {
        const job = jobs.get(number);
        const zone = timeZoneOf(job?.config.schedule, attributes.get(device) ?? {});
        if (job !== undefined && isOffered(job, zone, this.#calendar, batch.nowMs)) continue;
        const known = closed.get(device);
        if (known === undefined) closed.set(device, new Set([number]));
        else known.add(number);
      }
    }
    return closed;
  }

  async registryChanged(changes: readonly RegistryChange[], batch: Batch): Promise<void> {
    for (let start = 0; start < changes.length; start += STEP) {
      await this.#follow(changes.slice(start, start + STEP), batch);
    }
  }

  /** Jobs stand in their groups, and are meant for them, wherever they go. Who is meant after that is found by walking. */
  async groupChanged({ from, to }: GroupChange, batch: Batch): Promise<void> {
    let before: number | undefined;
    for (;;) {
      const jobs = await listJobs(batch.transaction, { before, limit: JOBS_AT_ONCE });
      for (const job of jobs) {
        const after = walkedAgain(to === undefined ? withoutGroup(job, from) : moved(job, from, to), batch.nowMs);
        if (after !== job) await updateJob(batch.transaction, after);
      }
      before = jobs.at(-1)?.number;
      if (jobs.length < JOBS_AT_ONCE) break;
    }
    batch.afterCommit(() => this.#wake());
  }

  async #do(work: JobWork, batch: Batch): Promise<void> {
    const context = { batch, executions: this.#executions };
    switch (work.kind) {
      case 'create':
        await createJob(work, context);
        return;
      case 'update':
        await changeJob(work, context);
        return;
      case 'cancel':
        await cancelJob(work, context);
        return;
      case 'delete':
        await deleteJob(work, context);
        return;
      case 'cancel-execution':
        await cancelExecution(work, context);
        return;
      case 'step':
        await this.#step(work.job, batch);
    }
  }

  async #step(number: number, batch: Batch): Promise<void> {
    const [job] = await readJobs(batch.transaction, [number]);
    if (job === undefined) return;
    await this.#holding([job], async () => {
      const after = await stepOf(job, {
        batch,
        executions: this.#executions,
        calendar: this.#calendar,
        registry: this.#registry,
        targets: this.#targets,
        limit: this.#limit,
      });
      if (after !== undefined) await updateJob(batch.transaction, after);
    });
  }

  async #follow(changes: readonly RegistryChange[], batch: Batch): Promise<void> {
    const removed = changes.filter(({ kind }) => kind === 'removed').map(({ device }) => device);
    if (removed.length > 0) {
      const there = await this.#targets.groupsOf(removed as DeviceId[]);
      const gone = removed.filter((device) => !there.has(device as DeviceId));
      if (gone.length > 0) await this.#executions.forget(gone, batch);
      const dropped = await dropDevices(batch.transaction, removed);
      for (const job of await readJobs(batch.transaction, dropped.keys())) {
        await updateJob(batch.transaction, withFewerWaiting(job, dropped.get(job.number) ?? 0, batch.nowMs));
      }
      if (dropped.size > 0) batch.afterCommit(() => this.#wake());
    }
    const changed = changes.filter(({ kind }) => kind === 'put').map(({ device }) => device as DeviceId);
    if (changed.length === 0) return;
    batch.afterCommit(() => this.#wake());
    for (const job of await readJobs(batch.transaction, await reconsiderDevices(batch.transaction, changed)))
      await updateJob(batch.transaction, { ...job, nextAtMs: batch.nowMs });
    const active = await readActive(batch.transaction, { selection: 'continuous' });
    const jobs = active.filter(({ status, progress }) => status === 'IN_PROGRESS' && progress.stopped !== true);
    if (jobs.length === 0) return;
    const context = { batch, executions: this.#executions };
    const groups = await this.#targets.groupsOf(changed);
    const concerned = await jobsOfDevices(batch.transaction, changed);
    await this.#holding(jobs, async () => {
      for (const job of jobs) {
        const { members, certain } = await this.#targets.members(job, groups);
        const more = await enlist(job, [...members], context);
        const having = certain ? (concerned.get(job.number) ?? []) : [];
        const gone = [...having].filter((device) => !members.has(device as DeviceId));
        const fewer = await dismiss(job, gone, context);
        if (more !== fewer || more > 0) await updateJob(batch.transaction, withFewerWaiting(job, fewer - more, batch.nowMs));
      }
    });
  }

  async #tryAgain(job: StoredJob, changes: readonly ExecutionChange[], batch: Batch): Promise<void> {
    const { retry } = job.config;
    if (retry === undefined || job.progress.stopped === true) return;
    const again = changes
      .filter(({ to, attempt, cause }) => cause !== 'removed' && mayRetry(retry, to, attempt))
      .map(({ device, attempt }) => ({ device, attempt: attempt + 1 }));
    if (again.length === 0) return;
    await this.#executions.add(job.number, again, batch, { again: true });
    if (!hasWindows(job)) return;
    await putWaiting(
      batch.transaction,
      job.number,
      again.map(({ device }) => ({ device, readyAtMs: 0, attempt: REMINDER })),
    );
    await updateJob(batch.transaction, { ...job, nextAtMs: batch.nowMs });
    batch.afterCommit(() => this.#wake());
  }

  async #holding(jobs: readonly StoredJob[], work: () => Promise<void>): Promise<void> {
    for (const { number } of jobs) this.#inHand.add(number);
    try {
      await work();
    } finally {
      this.#inHand.clear();
    }
  }
}

function withFewerWaiting(job: StoredJob, fewer: number, nowMs: number): StoredJob {
  return { ...job, progress: { ...job.progress, waiting: Math.max(0, job.progress.waiting - fewer) }, nextAtMs: nowMs };
}

function moved(job: StoredJob, from: string, to: string): StoredJob {
  const targets = job.targets.map((target): JobTarget => {
    if (target.kind !== 'group' || !isWithin(target.path, from)) return target;
    return { kind: 'group', path: to + target.path.slice(from.length) };
  });
  const group = isWithin(job.group, from) ? to + job.group.slice(from.length) : job.group;
  const isSame = group === job.group && targets.every((target, index) => target === job.targets[index]);
  if (isSame) return job;
  const { walk } = job.progress;
  if (walk?.heldSinceMs === undefined) return { ...job, group, targets };
  const { heldSinceMs: _heldSinceMs, ...found } = walk;
  return { ...job, group, targets, progress: { ...job.progress, walk: found } };
}

/** A walk does not wait for a group that is no more. */
function withoutGroup(job: StoredJob, from: string): StoredJob {
  const { walk } = job.progress;
  const isMeant = (target: JobTarget): boolean => target.kind === 'group' && isWithin(target.path, from);
  if (walk === undefined || !(isWithin(job.group, from) || job.targets.some(isMeant))) return job;
  return { ...job, progress: { ...job.progress, walk: { ...walk, heldSinceMs: 0 } }, nextAtMs: 0 };
}

/** Of a continuous job, who is meant is found out anew. */
function walkedAgain(job: StoredJob, nowMs: number): StoredJob {
  const { selection, status, progress } = job;
  if (selection !== 'continuous' || status !== 'IN_PROGRESS' || progress.stopped === true) return job;
  const { leaving: _leaving, ...rest } = progress;
  return { ...job, progress: { ...rest, walk: { target: 0, sinceMs: nowMs } }, nextAtMs: nowMs };
}
