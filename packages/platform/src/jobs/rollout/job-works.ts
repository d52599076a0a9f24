import type { Actor } from '../../audit/actor.ts';
import { SelsynError } from '../../kernel/errors.ts';
import { scopeIncludes, type Scope } from '../../registry/scope.ts';
import type { Batch } from '../../state/batch.ts';
import type { Executions } from '../executions.ts';
import { checkConfig } from './check-config.ts';
import type { JobConfig, RolloutConfig, AbortConfig, RetryConfig, EndBehavior, TargetSelection } from './job-config.ts';
import { NO_PROGRESS } from './job-progress.ts';
import { audited, canceled, started } from './job-step.ts';
import { targetText, type JobTarget } from './job-targets.ts';
import { findJob, insertJob, noJob, updateJob, type StoredJob } from './stored-job.ts';

/** A job as it was asked for, checked against the registry. */
export interface JobDraft {
  readonly id: string;
  readonly group: string;
  readonly targets: readonly JobTarget[];
  readonly selection: TargetSelection;
  /** JSON, its parameters put in. */
  readonly document: string;
  readonly description: string | undefined;
  readonly config: JobConfig;
}

/** What may be changed of a job that has not ended. What is absent stays, null takes it away. */
export interface JobPatch {
  readonly description?: string | null | undefined;
  readonly rollout?: RolloutConfig | null | undefined;
  readonly abort?: AbortConfig | null | undefined;
  readonly retry?: RetryConfig | null | undefined;
  readonly endTimeMs?: number | null | undefined;
  readonly endBehavior?: EndBehavior | null | undefined;
}

/** Who asks, and what they see. */
export interface Asking {
  readonly actor: Actor;
  readonly scope: Scope;
}

export type JobWork =
  | ({ readonly kind: 'create'; readonly draft: JobDraft } & Asking)
  | ({ readonly kind: 'update'; readonly id: string; readonly patch: JobPatch } & Asking)
  | ({
      readonly kind: 'cancel';
      readonly id: string;
      readonly force: boolean;
      readonly reasonCode: string | undefined;
      readonly comment: string | undefined;
    } & Asking)
  | ({ readonly kind: 'delete'; readonly id: string; readonly force: boolean } & Asking)
  | ({
      readonly kind: 'cancel-execution';
      readonly id: string;
      readonly device: string;
      readonly force: boolean;
      readonly expectedVersion: number | undefined;
    } & Asking)
  | { readonly kind: 'step'; readonly job: number };

/** A continuous job costs a look at each change of a device, so there are only so many that have not ended. */
export const MAX_ACTIVE_JOBS = 2_000;

interface WorkContext {
  readonly batch: Batch;
  readonly executions: Executions;
}

/** @throws SelsynError `job.exists`, `request.invalid` */
export async function createJob({ draft, actor }: Extract<JobWork, { kind: 'create' }>, { batch }: WorkContext): Promise<void> {
  const { nowMs, transaction } = batch;
  checkConfig(draft.config, nowMs);
  if ((await findJob(transaction, draft.id)) !== undefined)
    throw new SelsynError('job.exists', `there is a job ${draft.id} already`, { details: { id: draft.id } });
  const { count } = await transaction
    .selectFrom('job')
    .select((builder) => builder.fn.countAll().as('count'))
    .where('status', 'in', ['IN_PROGRESS', 'SCHEDULED'])
    .executeTakeFirstOrThrow();
  if (Number(count) >= MAX_ACTIVE_JOBS)
    throw new SelsynError('request.invalid', `${MAX_ACTIVE_JOBS} jobs have not ended, which is as many as there can be`);
  const { document, ...fields } = draft;
  const waiting: StoredJob = {
    ...fields,
    number: 0,
    status: 'SCHEDULED',
    progress: NO_PROGRESS,
    nextAtMs: nowMs,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    completedAtMs: undefined,
  };
  const startTimeMs = draft.config.schedule?.startTimeMs ?? 0;
  const job = startTimeMs > nowMs ? { ...waiting, nextAtMs: startTimeMs } : started(waiting, nowMs);
  await insertJob(transaction, job, document);
  batch.audit(audited(actor, 'create', job, undefined, { ...described(job), document: JSON.parse(document) as unknown }));
}

/** @throws SelsynError `job.not-found`, `job.conflict`, `request.invalid` */
export async function changeJob(work: Extract<JobWork, { kind: 'update' }>, { batch }: WorkContext): Promise<void> {
  const before = await visibleJob(work, batch);
  if (before.status !== 'IN_PROGRESS' && before.status !== 'SCHEDULED') throw conflict(before, 'has ended and cannot be changed');
  const { patch, actor } = work;
  const config = patchedConfig(before.config, patch);
  checkConfig(config, before.createdAtMs);
  const job: StoredJob = {
    ...before,
    config,
    description: patch.description === undefined ? before.description : (patch.description ?? undefined),
    updatedAtMs: batch.nowMs,
    nextAtMs: batch.nowMs,
  };
  await updateJob(batch.transaction, job);
  batch.audit(audited(actor, 'update', job, described(before), described(job)));
}

/** @throws SelsynError `job.not-found`, `job.conflict` */
export async function cancelJob(work: Extract<JobWork, { kind: 'cancel' }>, { batch }: WorkContext): Promise<void> {
  const before = await visibleJob(work, batch);
  const { force, actor } = work;
  const isForcedNow = before.status === 'CANCELED' && force && before.progress.forceCanceled !== true;
  if (before.status !== 'IN_PROGRESS' && before.status !== 'SCHEDULED' && !isForcedNow)
    throw conflict(before, 'has ended and cannot be cancelled');
  // Where it is cancelled already, why that was stays, unless something else is said.
  const { reason } = before.progress;
  const code = work.reasonCode ?? reason?.code ?? 'USER_INITIATED';
  const comment = work.comment ?? (work.reasonCode === undefined ? reason?.comment : undefined);
  const job = canceled(before, { force, cause: 'cancel', code, comment }, batch.nowMs);
  await updateJob(batch.transaction, job);
  batch.audit(audited(actor, 'cancel', job, described(before), { ...described(job), force, reason: job.progress.reason }));
}

/** @throws SelsynError `job.not-found`, `job.conflict` */
export async function deleteJob(work: Extract<JobWork, { kind: 'delete' }>, { batch }: WorkContext): Promise<void> {
  const before = await visibleJob(work, batch);
  if (before.status === 'DELETION_IN_PROGRESS') return;
  if (!work.force && (before.status === 'IN_PROGRESS' || before.status === 'SCHEDULED'))
    throw conflict(before, 'has not ended: cancel it first, or delete it with force');
  const job: StoredJob = {
    ...before,
    status: 'DELETION_IN_PROGRESS',
    progress: { waiting: 0 },
    nextAtMs: batch.nowMs,
    updatedAtMs: batch.nowMs,
  };
  await updateJob(batch.transaction, job);
  batch.audit(audited(work.actor, 'delete', job, described(before), undefined));
}

/** @throws SelsynError `job.not-found`, and those of Executions.cancel */
export async function cancelExecution(
  work: Extract<JobWork, { kind: 'cancel-execution' }>,
  { batch, executions }: WorkContext,
): Promise<void> {
  const job = await visibleJob(work, batch);
  const { device, force, expectedVersion, actor } = work;
  await executions.cancel(job.number, device, { force, expectedVersion }, batch);
  batch.audit(audited(actor, 'cancel-execution', job, undefined, { device, force }));
}

async function visibleJob({ id, scope }: { readonly id: string; readonly scope: Scope }, batch: Batch): Promise<StoredJob> {
  const job = await findJob(batch.transaction, id);
  if (job === undefined || !scopeIncludes(scope, job.group)) throw noJob(id);
  return job;
}

function patchedConfig(config: JobConfig, { rollout, abort, retry, endTimeMs, endBehavior }: JobPatch): JobConfig {
  const schedule = { ...config.schedule, ...given({ endTimeMs, endBehavior }) };
  return withoutNulls({
    ...config,
    ...given({ rollout, abort, retry }),
    ...((config.schedule !== undefined || endTimeMs !== undefined || endBehavior !== undefined) && {
      schedule: withoutNulls(schedule),
    }),
  });
}

function given(fields: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function withoutNulls(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

function described({ status, targets, selection, description, config }: StoredJob): object {
  return { status, targets: targets.map(targetText), targetSelection: selection, description, ...config };
}

function conflict({ id, status }: StoredJob, message: string): SelsynError {
  return new SelsynError('job.conflict', `the job ${id} ${message}`, { details: { id, status } });
}
