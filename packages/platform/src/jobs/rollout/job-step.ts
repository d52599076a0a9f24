import { systemActor, type Actor } from '../../audit/actor.ts';
import type { AuditChange } from '../../audit/audit-trail.ts';
import type { DeviceId } from '../../kernel/device-id.ts';
import type { Batch } from '../../state/batch.ts';
import { codeOf } from '../job-execution.ts';
import { brokenCriterion } from './abort-rule.ts';
import { dismiss, enlist } from './enlist.ts';
import { giveOut, type GivingOut } from './give-out.ts';
import { openOf, type JobCounts } from './job-counts.ts';
import type { JobProgress } from './job-progress.ts';
import { deleteJobRow, readCounts, type StoredJob } from './stored-job.ts';
import type { TargetReader } from './target-reader.ts';
import { dropSomeWaiting } from './waiting-list.ts';

const PLATFORM = systemActor('jobs');
/** Conditions of fleets that depend on time and connectivity come true without a change: so all are walked through so often. */
const LEAST_WALK_PAUSE_MS = 60_000;
/** ... but walking takes at most a twentieth of the time. */
const WALK_SHARE = 20;
/** A group that is not where it was is moved with its devices: for so long it is waited to hear where to. Then it was removed. */
const HOLD_MS = 10_000;
const HOLD_LOOK_MS = 200;

export interface StepContext extends GivingOut {
  /** Devices that each part of a step is about. */
  readonly limit: number;
  readonly targets: TargetReader;
}

/**
 * Does the next step of a job, on so many devices in each of its parts, and says when the next one is due. All that it does and
 * how far that is are written together, so that it goes on exactly there whenever the process ends.
 *
 * @returns undefined: the job is no more.
 */
export async function stepOf(job: StoredJob, context: StepContext): Promise<StoredJob | undefined> {
  const { batch } = context;
  const { nowMs } = batch;
  if (job.status === 'DELETION_IN_PROGRESS') return await deleteSome(job, context);
  if (job.progress.clearing === true) return await clearSome(job, context);
  if (job.progress.canceling !== undefined) return await cancelSome(job, job.progress.canceling, context);
  const { startTimeMs, endTimeMs } = job.config.schedule ?? {};
  if (job.status === 'SCHEDULED') {
    if (startTimeMs !== undefined && startTimeMs > nowMs) return { ...job, nextAtMs: startTimeMs };
    return await stepOf(started(job, nowMs), context);
  }
  if (job.status !== 'IN_PROGRESS') return { ...job, nextAtMs: undefined };
  if (endTimeMs !== undefined && endTimeMs <= nowMs && job.progress.stopped !== true) return ended(job, batch);
  return await rollOut(job, context);
}

/** A job that begins now: its targets are walked through. */
export function started(job: StoredJob, nowMs: number): StoredJob {
  const progress: JobProgress = { ...job.progress, walk: { target: 0, sinceMs: nowMs } };
  return { ...job, status: 'IN_PROGRESS', progress, nextAtMs: nowMs, updatedAtMs: nowMs };
}

/** A job that is cancelled: its pending executions are from the next step on. */
export function canceled(
  job: StoredJob,
  how: {
    readonly force: boolean;
    readonly cause: 'cancel' | 'abort';
    readonly code: string;
    readonly comment?: string | undefined;
  },
  nowMs: number,
): StoredJob {
  const { walk: _walk, leaving: _leaving, walkAtMs: _walkAtMs, pace: _pace, ...progress } = job.progress;
  const { force, cause, code, comment } = how;
  return {
    ...job,
    status: 'CANCELED',
    progress: {
      ...progress,
      waiting: 0,
      clearing: true,
      canceling: { force, cause },
      reason: { code, ...(comment !== undefined && { comment }) },
      ...(force && { forceCanceled: true }),
    },
    nextAtMs: nowMs,
    updatedAtMs: nowMs,
    completedAtMs: job.completedAtMs ?? nowMs,
  };
}

/** A job of which too many executions failed; undefined: they did not. It is in the audit trail then. */
export function aborted(job: StoredJob, counts: JobCounts, batch: Batch): StoredJob | undefined {
  const broken = brokenCriterion(job.config.abort, counts);
  if (broken === undefined) return undefined;
  const { failureType, thresholdPercentage, minNumberOfExecutedThings } = broken;
  const comment = `${thresholdPercentage} % or more of at least ${minNumberOfExecutedThings} devices: ${failureType}`;
  const after = canceled(job, { force: false, cause: 'abort', code: 'ABORTED', comment }, batch.nowMs);
  batch.audit(audited(PLATFORM, 'abort', after, { status: job.status }, { status: after.status, reason: after.progress.reason }));
  return after;
}

/** What was done to a job, in the audit trail. */
export function audited(actor: Actor, verb: string, job: StoredJob, before: unknown, after: unknown): AuditChange {
  return { actor, action: `job.${verb}`, object: { kind: 'job', id: job.id }, group: job.group, before, after };
}

/** A job of which nothing is left to do. */
export function completed(job: StoredJob, nowMs: number): StoredJob {
  const { walk: _walk, leaving: _leaving, walkAtMs: _walkAtMs, pace: _pace, ...progress } = job.progress;
  return {
    ...job,
    status: 'COMPLETED',
    progress: { ...progress, clearing: true },
    nextAtMs: nowMs,
    updatedAtMs: nowMs,
    completedAtMs: nowMs,
  };
}

/** Whether all devices are through with a job: one that is continuous waits for more, unless its end has come. */
export function isDone({ selection, progress }: StoredJob, open: number): boolean {
  const { walk, leaving, waiting, clearing, stopped } = progress;
  if (open > 0 || waiting > 0 || walk !== undefined || leaving !== undefined || clearing === true) return false;
  return selection === 'snapshot' || stopped === true;
}

/** AWS: SchedulingConfig.endBehavior. */
function ended(job: StoredJob, batch: Batch): StoredJob {
  const { nowMs } = batch;
  const behavior = job.config.schedule?.endBehavior ?? 'STOP_ROLLOUT';
  if (behavior !== 'STOP_ROLLOUT') {
    const force = behavior === 'FORCE_CANCEL';
    const after = canceled(job, { force, cause: 'cancel', code: 'END_OF_SCHEDULE' }, nowMs);
    const { reason } = after.progress;
    batch.audit(audited(PLATFORM, 'cancel', after, { status: job.status }, { status: after.status, force, reason }));
    return after;
  }
  const { walk: _walk, leaving: _leaving, walkAtMs: _walkAtMs, pace: _pace, ...progress } = job.progress;
  return { ...job, progress: { ...progress, waiting: 0, stopped: true, clearing: true }, nextAtMs: nowMs, updatedAtMs: nowMs };
}

async function rollOut(before: StoredJob, context: StepContext): Promise<StoredJob> {
  const { batch, targets } = context;
  const { nowMs } = batch;
  let job = before;
  if (job.progress.walk !== undefined) job = await walkOn(job, context);
  else if (job.progress.leaving !== undefined) job = await lookForLeaving(job, job.progress.leaving.after, context);
  else if (followsFleets(job)) {
    const { walkAtMs = 0, meaning } = job.progress;
    if (walkAtMs <= nowMs || meaning !== (await targets.meaning(job)))
      job = { ...job, progress: { ...job.progress, walk: { target: 0, sinceMs: nowMs } } };
  }
  let counts = (await readCounts(batch.transaction, [job.number])).get(job.number)!;
  // The criteria may have been changed meanwhile.
  const over = aborted(job, counts, batch);
  if (over !== undefined) return over;
  const given = await giveOut(job, counts, context.limit, context);
  const progress: JobProgress = { ...withoutPace(job.progress), waiting: given.waiting, ...(given.pace && { pace: given.pace }) };
  job = { ...job, progress };
  counts = (await readCounts(batch.transaction, [job.number])).get(job.number)!;
  if (isDone(job, openOf(counts))) return completed(job, nowMs);
  return { ...job, nextAtMs: nextAt(job, given.nextAtMs, nowMs) };
}

/**
 * Whether who is meant may change without a change of the device: a fleet was changed, or asks for times or connectivity. Everything
 * else comes by the stream of the registry.
 */
export function followsFleets({ selection, status, targets, progress }: StoredJob): boolean {
  if (selection !== 'continuous' || status !== 'IN_PROGRESS' || progress.stopped === true) return false;
  return targets.some(({ kind }) => kind === 'fleet');
}

/** When the next step is due: the first of all that may come. */
function nextAt(job: StoredJob, givingAtMs: number | undefined, nowMs: number): number | undefined {
  const { walk, leaving, stopped } = job.progress;
  const isHeld = walk?.heldSinceMs !== undefined && nowMs < walk.heldSinceMs + HOLD_MS;
  if ((walk !== undefined && !isHeld) || leaving !== undefined) return nowMs;
  const { endTimeMs } = job.config.schedule ?? {};
  const times = [
    isHeld ? nowMs + HOLD_LOOK_MS : undefined,
    givingAtMs,
    stopped === true ? undefined : endTimeMs,
    followsFleets(job) ? job.progress.walkAtMs : undefined,
  ].filter((time) => time !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}

async function walkOn(job: StoredJob, context: StepContext): Promise<StoredJob> {
  const { batch, targets } = context;
  const { walk } = job.progress;
  if (walk === undefined) return job;
  // What they mean is read before the first devices are: a change in between is seen at the next look.
  const isFirst = walk.target === 0 && walk.cursor === undefined;
  const meaning = isFirst && job.selection === 'continuous' ? await targets.meaning(job) : job.progress.meaning;
  const { devices, next } = await targets.page(job, walk, context.limit);
  // Asked after the devices were read: where it is still there, all of them were found.
  // One that is continuous is walked through again when it is heard of.
  if (job.selection === 'snapshot' && next?.target !== walk.target && !(await targets.isInPlace(job, walk))) {
    const heldSinceMs = Math.min(batch.nowMs, walk.heldSinceMs ?? batch.nowMs);
    if (batch.nowMs < heldSinceMs + HOLD_MS) return { ...job, progress: { ...job.progress, walk: { ...walk, heldSinceMs } } };
  }
  const more = await enlist(job, devices, context);
  const { walk: _walk, ...rest } = job.progress;
  const progress: JobProgress = { ...rest, waiting: rest.waiting + more, ...(meaning !== undefined && { meaning }) };
  if (next !== undefined) return { ...job, progress: { ...progress, walk: next } };
  if (job.selection === 'snapshot') return { ...job, progress };
  const pauseMs = Math.max(LEAST_WALK_PAUSE_MS, (batch.nowMs - walk.sinceMs) * WALK_SHARE);
  return { ...job, progress: { ...progress, leaving: { after: '' }, walkAtMs: batch.nowMs + pauseMs } };
}

/** Those that have one pending, or wait for it, and do not belong any more. */
async function lookForLeaving(job: StoredJob, after: string, context: StepContext): Promise<StoredJob> {
  const { targets } = context;
  const pending = await devicesAfter(job.number, after, context);
  const { members, certain } = await targets.members(job, await targets.groupsOf(pending as DeviceId[]));
  const gone = certain ? pending.filter((device) => !members.has(device as DeviceId)) : [];
  const fewer = await dismiss(job, gone, context);
  const { leaving: _leaving, ...rest } = job.progress;
  const progress: JobProgress = { ...rest, waiting: rest.waiting - fewer };
  const last = pending.at(-1);
  if (pending.length < context.limit || last === undefined) return { ...job, progress };
  return { ...job, progress: { ...progress, leaving: { after: last } } };
}

/** The next devices in the order of their ids that have the job pending or wait for it. */
async function devicesAfter(job: number, after: string, { batch, limit }: StepContext): Promise<readonly string[]> {
  const lists: (readonly string[])[] = [];
  for (const status of ['QUEUED', 'IN_PROGRESS'] as const) {
    const rows = await batch.transaction
      .selectFrom('job_execution')
      .select('device')
      .where('job', '=', job)
      .where('status', '=', codeOf(status))
      .where('device', '>', after)
      .orderBy('device')
      .limit(limit)
      .execute();
    lists.push(rows.map(({ device }) => device));
  }
  const rows = await batch.transaction
    .selectFrom('job_waiting')
    .select('device')
    .where('job', '=', job)
    .where('device', '>', after)
    .orderBy('device')
    .limit(limit)
    .execute();
  lists.push(rows.map(({ device }) => device));
  return [...new Set(lists.flat())].sort(byBytes).slice(0, limit);
}

/** Ids are ASCII: this is the order of the database. */
function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function cancelSome(
  job: StoredJob,
  { force, cause }: NonNullable<JobProgress['canceling']>,
  { batch, executions, limit }: StepContext,
): Promise<StoredJob> {
  const count = await executions.cancelAll(job.number, { force, cause, limit }, batch);
  if (count === limit) return { ...job, nextAtMs: batch.nowMs };
  const { canceling: _canceling, ...progress } = job.progress;
  return { ...job, progress, nextAtMs: undefined };
}

async function clearSome(job: StoredJob, { batch, limit }: StepContext): Promise<StoredJob> {
  const count = await dropSomeWaiting(batch.transaction, job.number, limit);
  if (count === limit) return { ...job, nextAtMs: batch.nowMs };
  const { clearing: _clearing, ...progress } = job.progress;
  return { ...job, progress, nextAtMs: batch.nowMs };
}

async function deleteSome(job: StoredJob, { batch, executions, limit }: StepContext): Promise<StoredJob | undefined> {
  const waiting = await dropSomeWaiting(batch.transaction, job.number, limit);
  const deleted = waiting < limit ? await executions.deleteAll(job.number, limit, batch) : limit;
  if (deleted === limit) return { ...job, nextAtMs: batch.nowMs };
  await deleteJobRow(batch.transaction, job.number);
  return undefined;
}

function withoutPace({ pace: _pace, ...progress }: JobProgress): JobProgress {
  return progress;
}
