import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Batch } from '../state/batch.ts';
import type { DeviceRequest } from '../state/device-request.ts';
import type { RegistryChange, RegistryFollower } from '../state/registry-changes.ts';
import type { DeviceFacing, StateDomain } from '../state/state-domain.ts';
import type { StateWriter } from '../state/state-writer.ts';
import { DeviceJobs } from './device-jobs.ts';
import { encodeAnswer, type JobFault, type JobResult } from './job-answers.ts';
import { parseJobRequest, type JobRequest } from './job-request.ts';
import { parseJobTopic } from './job-topics.ts';
import type { StoredExecutions } from './stored-executions.ts';

/** A request of a device or what is wrong with it, or that time has passed. */
export type JobWork =
  | { readonly request: JobRequest; readonly answer?: AnswerTo }
  | { readonly fault: JobFault; readonly answer: AnswerTo & { readonly device: string } }
  | { readonly expire: number };

/** Where the answer is published: `topic` + `/accepted` or `/rejected`. */
interface AnswerTo {
  readonly topic: string;
  readonly clientToken: string | undefined;
}

/** Of `expire`: when the next timer is due. */
export type JobOutcome = JobResult | { readonly kind: 'expired'; readonly nextDueMs: number | undefined };

/** Executions that time out together, in one transaction. */
const EXPIRE_STEP = 500;
/** The wall clock may be put forward: it is looked at so often. */
const MAX_DELAY_MS = 60_000;
const RETRY_MS = 5_000;

export interface JobDomainOptions {
  readonly writer: StateWriter;
  readonly executions: StoredExecutions;
  readonly clock: Clock;
  readonly logLines: LogLines;
}

/** Jobs as devices see them, over AWS's topics or HTTP; the timers of executions; what becomes of those of removed devices. */
export class JobDomain implements StateDomain<JobWork, JobOutcome>, DeviceFacing, RegistryFollower, AsyncDisposable {
  readonly name = 'jobs';
  readonly #writer: StateWriter;
  readonly #executions: StoredExecutions;
  readonly #clock: Clock;
  readonly #logLines: LogLines;
  #armed: { readonly atMs: number; readonly cancel: () => void } | undefined;
  #expiring: Promise<void> | undefined;
  /** The first timer that was set while others were run down. */
  #dueMeanwhile: number | undefined;
  #closed = false;

  constructor(options: JobDomainOptions) {
    this.#writer = options.writer;
    this.#executions = options.executions;
    this.#clock = options.clock;
    this.#logLines = options.logLines;
  }

  /** Lets executions time out from now on, those first whose time was over while nobody ran. */
  async start(): Promise<void> {
    this.#executions.watchTimers((dueMs) => this.#arm(dueMs));
    this.#expire();
    await this.#expiring;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#armed?.cancel();
    await this.#expiring;
  }

  request({ topic, payload }: DeviceRequest): Promise<void> | undefined {
    const parsed = parseJobTopic(topic);
    if (parsed === undefined) return undefined;
    const { asked, clientToken } = parseJobRequest(parsed, payload);
    const answer = { topic, clientToken, device: parsed.device };
    const work = asked.fault === undefined ? { request: asked.request, answer } : { fault: asked.fault, answer };
    return this.#writer.run<JobWork, JobOutcome>(this, work).then(() => undefined);
  }

  /** What a device asks otherwise than by MQTT: nothing is published but what its jobs bring about. */
  async ask(request: JobRequest): Promise<JobResult> {
    const outcome = await this.#writer.run<JobWork, JobOutcome>(this, { request });
    return outcome.kind === 'expired' ? { kind: 'refused', fault: INTERNAL } : outcome;
  }

  async apply(works: readonly JobWork[], batch: Batch): Promise<readonly JobOutcome[]> {
    const outcomes: JobOutcome[] = [];
    const asked: JobWork[] = [];
    for (const work of works) {
      if ('expire' in work) continue;
      asked.push(work);
    }
    const answers = await this.#answer(asked, batch);
    let next = 0;
    for (const work of works) {
      if ('expire' in work) outcomes.push({ kind: 'expired', nextDueMs: await this.#executions.expire(work.expire, batch) });
      else outcomes.push(answers[next++] ?? { kind: 'refused', fault: INTERNAL });
    }
    return outcomes;
  }

  async registryChanged(changes: readonly RegistryChange[], batch: Batch): Promise<void> {
    const removed = changes.filter(({ kind }) => kind === 'removed');
    if (removed.length > 0) await this.#executions.purge(removed, batch);
  }

  async #answer(works: readonly JobWork[], batch: Batch): Promise<readonly JobResult[]> {
    if (works.length === 0) return [];
    const work = this.#executions.work(batch);
    const jobs = new DeviceJobs(work, batch);
    await jobs.prepare(works.flatMap((each) => ('request' in each ? [each.request] : [])));
    const results: JobResult[] = [];
    for (const each of works) {
      if ('expire' in each) continue;
      const result: JobResult = 'fault' in each ? { kind: 'refused', fault: each.fault } : jobs.answer(each.request);
      results.push(result);
      if (each.answer === undefined) continue;
      const device = 'fault' in each ? each.answer.device : each.request.device;
      const topic = `${each.answer.topic}/${result.kind === 'refused' ? 'rejected' : 'accepted'}`;
      batch.publish({ device, topic, payload: encodeAnswer(result, each.answer.clientToken, batch.nowMs) });
    }
    await this.#executions.finish(work, batch);
    return results;
  }

  #arm(dueMs: number): void {
    if (this.#expiring !== undefined) this.#dueMeanwhile = Math.min(dueMs, this.#dueMeanwhile ?? dueMs);
    if (this.#closed || this.#expiring !== undefined || (this.#armed !== undefined && this.#armed.atMs <= dueMs)) return;
    this.#armed?.cancel();
    const delayMs = Math.min(Math.max(0, dueMs - this.#clock.now()), MAX_DELAY_MS);
    this.#armed = { atMs: dueMs, cancel: this.#clock.after(delayMs, () => this.#expire()) };
  }

  #expire(): void {
    this.#armed?.cancel();
    this.#armed = undefined;
    this.#expiring ??= this.#expireAll().then((nextDueMs) => {
      this.#expiring = undefined;
      const meanwhileMs = this.#dueMeanwhile;
      this.#dueMeanwhile = undefined;
      if (nextDueMs !== undefined) this.#arm(nextDueMs);
      if (meanwhileMs !== undefined) this.#arm(meanwhileMs);
    });
  }

  /** @returns when to look again. */
  async #expireAll(): Promise<number | undefined> {
    try {
      for (;;) {
        const outcome = await this.#writer.run<JobWork, JobOutcome>(this, { expire: EXPIRE_STEP });
        const nextDueMs = outcome.kind === 'expired' ? outcome.nextDueMs : undefined;
        if (nextDueMs === undefined || nextDueMs > this.#clock.now()) return nextDueMs;
      }
    } catch (error) {
      if (!this.#closed) this.#logLines.warn({ err: error }, 'job executions could not be timed out; will try again');
      return this.#clock.now() + RETRY_MS;
    }
  }
}

const INTERNAL: JobFault = { code: 'InternalError', message: 'Internal error' };
