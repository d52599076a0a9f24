import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TestJobs, type Published } from './jobs.fixture.ts';

/** What should be of an execution: written anew, as simply as can be. */
interface ModelExecution {
  readonly job: string;
  readonly device: string;
  readonly number: number;
  readonly order: number;
  status: string;
  version: number;
  stepDueMs: number | undefined;
}

const JOBS = ['j1', 'j2', 'j3'];
const DEVICES = ['a', 'b'];
const STEP_MINUTES = 2;
const PENDING = ['QUEUED', 'IN_PROGRESS'];

class Model {
  readonly executions: ModelExecution[] = [];
  nowMs = 0;

  latest(job: string, device: string): ModelExecution | undefined {
    return this.executions.filter((each) => each.job === job && each.device === device).at(-1);
  }

  pending(device: string): readonly ModelExecution[] {
    const mine = this.executions.filter((each) => each.device === device && PENDING.includes(each.status));
    const inOrder = (status: string) => mine.filter((each) => each.status === status).sort((a, b) => a.order - b.order);
    return [...inOrder('IN_PROGRESS'), ...inOrder('QUEUED')];
  }

  set(execution: ModelExecution, status: string): void {
    execution.status = status;
    execution.version++;
    if (status !== 'IN_PROGRESS') execution.stepDueMs = undefined;
  }
}

/** The system, and what its devices were told. */
interface Real {
  jobs: TestJobs;
  readonly folder: string;
  opened: number;
  readonly numbers: Map<string, number>;
  /** Last list and last next one, by device. */
  readonly lists: Map<string, unknown>;
  readonly next: Map<string, unknown>;
  /** The highest version seen in an answer, by execution; and what is terminal. */
  readonly versions: Map<string, number>;
}

type Ask =
  | { readonly kind: 'start-next'; readonly device: string; readonly timer: boolean }
  | { readonly kind: 'describe'; readonly device: string; readonly job: string }
  | {
      readonly kind: 'update';
      readonly device: string;
      readonly job: string;
      readonly status: string;
      readonly expect: 'none' | 'right' | 'wrong';
    };

type Act =
  | { readonly kind: 'queue' | 'again' | 'cancel' | 'force' | 'remove'; readonly job: string }
  | { readonly kind: 'pass'; readonly minutes: number }
  | { readonly kind: 'crash' };

const anyDevice = fc.constantFrom(...DEVICES);
const anyJob = fc.constantFrom(...JOBS);
const anyAsk: fc.Arbitrary<Ask> = fc.oneof(
  fc.record({ kind: fc.constant('start-next' as const), device: anyDevice, timer: fc.boolean() }),
  fc.record({ kind: fc.constant('describe' as const), device: anyDevice, job: fc.oneof(anyJob, fc.constant('$next')) }),
  fc.record({
    kind: fc.constant('update' as const),
    device: anyDevice,
    job: anyJob,
    status: fc.constantFrom('IN_PROGRESS', 'SUCCEEDED', 'FAILED', 'REJECTED'),
    expect: fc.constantFrom('none' as const, 'right' as const, 'wrong' as const),
  }),
);
const anyAct: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('queue' as const, 'again' as const), job: anyJob }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('cancel' as const, 'force' as const, 'remove' as const), job: anyJob }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pass' as const), minutes: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const }) },
);

/** Several requests at once: they share a batch, unless something in it fails; then each has one of its own. */
class AskCommand implements fc.AsyncCommand<Model, Real> {
  readonly #asks: readonly Ask[];
  readonly #poisoned: boolean;
  constructor(asks: readonly Ask[], poisoned: boolean) {
    this.#asks = asks;
    this.#poisoned = poisoned;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    const expected = this.#asks.map((ask) => {
      const before = ask.kind === 'update' ? (model.latest(ask.job, ask.device)?.version ?? 0) : 0;
      return { ask, body: bodyOf(ask, before), answer: answerOf(model, ask) };
    });
    const sent = expected.map(({ ask, body }) => {
      const topic = `$aws/things/${ask.device}/jobs/${topicOf(ask)}`;
      const from = { gateway: 0, client: ask.device };
      return real.jobs.domain.request({ topic, payload: Buffer.from(body), clientId: ask.device, principalId: ask.device, from });
    });
    const poison = this.#poisoned ? [real.jobs.step(async () => Promise.reject(new Error('on purpose'))).catch(() => {})] : [];
    await Promise.all([...sent, ...poison]);
    const published = real.jobs.take();
    const answers = published.filter(({ topic }) => /\/(accepted|rejected)$/.test(topic));
    expect(answers.map(summarize)).toEqual(expected.map(({ ask, answer }) => ({ topic: topicOf(ask), ...answer })));
    for (const { topic, body } of answers) {
      const seen = (body['execution'] ?? body['executionState']) as
        | { versionNumber?: number; executionNumber?: number }
        | undefined;
      if (seen?.versionNumber === undefined || seen.executionNumber === undefined) continue;
      const key = `${topic.split('/')[2]} ${(seen as { jobId?: string }).jobId} ${seen.executionNumber}`;
      expect(seen.versionNumber).toBeGreaterThanOrEqual(real.versions.get(key) ?? 1);
      real.versions.set(key, seen.versionNumber);
    }
    hear(real, published);
    await compare(model, real);
  }

  toString(): string {
    return `${this.#poisoned ? 'poisoned ' : ''}${JSON.stringify(this.#asks)}`;
  }
}

class ActCommand implements fc.AsyncCommand<Model, Real> {
  readonly #act: Act;
  constructor(act: Act) {
    this.#act = act;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    const act = this.#act;
    switch (act.kind) {
      case 'crash':
        await crash(real);
        break;
      case 'pass':
        real.jobs.clock.advance(act.minutes * 60_000);
        model.nowMs += act.minutes * 60_000;
        for (const each of model.executions)
          if (each.stepDueMs !== undefined && each.stepDueMs <= model.nowMs) model.set(each, 'TIMED_OUT');
        await real.jobs.step(async () => {});
        await real.jobs.step(async () => {});
        break;
      default:
        await this.#orchestrate(act.kind, act.job, model, real);
    }
    hear(real, real.jobs.take());
    await compare(model, real);
  }

  async #orchestrate(
    kind: 'queue' | 'again' | 'cancel' | 'force' | 'remove',
    job: string,
    model: Model,
    real: Real,
  ): Promise<void> {
    const number = real.numbers.get(job) ?? 0;
    const { executions } = real.jobs;
    // What was done in a batch that failed never was.
    const failed = real.jobs.step(async (batch) => {
      await executions.add(
        number,
        DEVICES.map((device) => ({ device })),
        batch,
        { again: true },
      );
      await executions.cancelAll(number, { force: true, cause: 'abort', limit: 1 }, batch);
      throw new Error('on purpose');
    });
    await expect(failed).rejects.toThrow('on purpose');
    await real.jobs.step(async (batch) => {
      if (kind === 'queue' || kind === 'again')
        await executions.add(
          number,
          DEVICES.map((device) => ({ device })),
          batch,
          { again: kind === 'again' },
        );
      else if (kind === 'remove') await executions.remove(number, ['a'], batch);
      else await executions.cancelAll(number, { force: kind === 'force', cause: 'cancel', limit: 10 }, batch);
    });
    // The order of queueing is by time, which goes on here; jobs that are queued at the same time go by their age.
    real.jobs.clock.advance(1);
    model.nowMs += 1;
    for (const device of DEVICES) {
      const latest = model.latest(job, device);
      const isPending = latest !== undefined && PENDING.includes(latest.status);
      if (kind === 'queue' || kind === 'again') {
        if (isPending || (latest !== undefined && kind === 'queue')) continue;
        const { executions: all } = model;
        all.push({
          job,
          device,
          number: (latest?.number ?? 0) + 1,
          order: all.length,
          status: 'QUEUED',
          version: 1,
          stepDueMs: undefined,
        });
      } else if (isPending) {
        if (kind === 'remove' && device === 'a') model.set(latest, 'REMOVED');
        if (kind === 'force' || (kind === 'cancel' && latest.status === 'QUEUED')) model.set(latest, 'CANCELED');
      }
    }
  }

  toString(): string {
    return JSON.stringify(this.#act);
  }
}

/** The process ends without a word; another one finds the files as they are. */
async function crash(real: Real): Promise<void> {
  const path = (opened: number) => join(real.folder, `state-${opened}.db`);
  for (const suffix of ['', '-wal'])
    if (existsSync(path(real.opened) + suffix)) copyFileSync(path(real.opened) + suffix, path(real.opened + 1) + suffix);
  const { clock } = real.jobs;
  await real.jobs[Symbol.asyncDispose]();
  real.opened++;
  real.jobs = await TestJobs.open({ path: path(real.opened), clock });
}

function topicOf(ask: Ask): string {
  switch (ask.kind) {
    case 'start-next':
      return 'start-next';
    case 'describe':
      return `${ask.job}/get`;
    case 'update':
      return `${ask.job}/update`;
  }
}

function bodyOf(ask: Ask, version: number): string {
  if (ask.kind === 'describe') return '{}';
  if (ask.kind === 'start-next') return JSON.stringify(ask.timer ? { stepTimeoutInMinutes: STEP_MINUTES } : {});
  const expectedVersion = ask.expect === 'right' ? version : version + 1;
  return JSON.stringify({
    status: ask.status,
    includeJobExecutionState: true,
    ...(ask.expect !== 'none' && { expectedVersion }),
  });
}

/** Changes the model, and says what the device is answered. */
function answerOf(model: Model, ask: Ask): object {
  const of = (each: ModelExecution | undefined) =>
    each === undefined ? undefined : [each.job, each.number, each.status, each.version];
  if (ask.kind === 'start-next' || (ask.kind === 'describe' && ask.job === '$next')) {
    const [next] = model.pending(ask.device);
    if (ask.kind === 'start-next' && next !== undefined) {
      if (next.status === 'QUEUED') model.set(next, 'IN_PROGRESS');
      if (ask.timer) next.stepDueMs = model.nowMs + STEP_MINUTES * 60_000;
    }
    return { ok: true, code: undefined, execution: of(next), state: undefined };
  }
  const refused = (code: string, state?: unknown) => ({ ok: false, code, execution: undefined, state });
  const latest = model.latest(ask.job, ask.device);
  if (latest === undefined) return refused('ResourceNotFound');
  const ended = !PENDING.includes(latest.status);
  const state = () => [latest.status, latest.version];
  if (ask.kind === 'describe')
    return ended ? refused('TerminalStateReached') : { ok: true, code: undefined, execution: of(latest), state: undefined };
  if (ask.expect === 'wrong') return refused('VersionMismatch', state());
  if (ended) return refused('InvalidStateTransition', state());
  model.set(latest, ask.status);
  return { ok: true, code: undefined, execution: undefined, state: state() };
}

function summarize({ topic, body }: Published): object {
  const execution = body['execution'] as Record<string, unknown> | undefined;
  const state = body['executionState'] as Record<string, unknown> | undefined;
  return {
    topic: topic.split('/').slice(4, -1).join('/'),
    ok: topic.endsWith('/accepted'),
    code: body['code'],
    execution: execution && [execution['jobId'], execution['executionNumber'], execution['status'], execution['versionNumber']],
    state: state && [state['status'], state['versionNumber']],
  };
}

function hear(real: Real, published: readonly Published[]): void {
  for (const { topic, body } of published) {
    const [, , device = '', , last] = topic.split('/');
    if (last === 'notify') {
      const lists = body['jobs'] as Record<string, readonly { readonly jobId: string; readonly executionNumber: number }[]>;
      const told = PENDING.flatMap((status) => (lists[status] ?? []).map((each) => [each.jobId, each.executionNumber, status]));
      real.lists.set(device, told);
    }
    if (last !== 'notify-next') continue;
    const execution = body['execution'] as Record<string, unknown> | undefined;
    const now = execution && [execution['jobId'], execution['executionNumber']];
    // Not told again of what it knows.
    expect(now).not.toEqual(real.next.get(device));
    real.next.set(device, now);
  }
}

/** All that is kept, and all that devices were told last, is as the model has it. */
async function compare(model: Model, real: Real): Promise<void> {
  for (const device of DEVICES) {
    const pending = model.pending(device);
    const [next] = pending;
    expect(real.next.get(device)).toEqual(next && [next.job, next.number]);
    const listed = PENDING.flatMap((status) => pending.filter((each) => each.status === status));
    expect(real.lists.get(device) ?? []).toEqual(listed.map((each) => [each.job, each.number, each.status]));
  }
  const stored = await Promise.all([...real.numbers.values()].map((job) => real.jobs.store.ofJob({ job, limit: 100 })));
  const names = new Map([...real.numbers].map(([name, number]) => [number, name]));
  const flat = stored.flatMap(({ items }) => items);
  const text = (
    each: { readonly device: string; readonly number: number; readonly status: string; readonly version: number },
    job = '',
  ) => `${job} ${each.device} ${each.number} ${each.status} v${each.version}`;
  expect(flat.map((each) => text(each, names.get(each.job))).sort()).toEqual(
    model.executions.map((each) => text(each, each.job)).sort(),
  );
  for (const [name, number] of real.numbers) {
    const counts = new Map<string, number>();
    for (const device of DEVICES) {
      const status = model.latest(name, device)?.status;
      if (status !== undefined) counts.set(status, (counts.get(status) ?? 0) + 1);
    }
    const kept = Object.entries(await real.jobs.store.counts(number)).filter(([, count]) => count !== 0);
    expect(Object.fromEntries(kept)).toEqual(Object.fromEntries(counts));
  }
  for (const execution of flat) {
    const history = await real.jobs.store.history(execution);
    expect(history.map(({ version }) => version)).toEqual(Array.from({ length: execution.version }, (_, index) => index + 1));
    expect(history.at(-1)?.status).toBe(execution.status);
  }
}

describe('jobs', () => {
  test('are as a small model of them, whatever devices and the platform do, in failing batches and over crashes', async () => {
    const command = fc.oneof(
      {
        weight: 3,
        arbitrary: fc
          .tuple(fc.array(anyAsk, { minLength: 1, maxLength: 4 }), fc.boolean())
          .map(([asks, poisoned]) => new AskCommand(asks, poisoned)),
      },
      { weight: 2, arbitrary: anyAct.map((act) => new ActCommand(act)) },
    );
    await fc.assert(
      fc.asyncProperty(fc.commands([command], { maxCommands: 40, size: 'max' }), async (commands) => {
        const folder = mkdtempSync(join(tmpdir(), 'selsyn-jobs-model-'));
        const jobs = await TestJobs.open({ path: join(folder, 'state-0.db') });
        const real: Real = {
          jobs,
          folder,
          opened: 0,
          numbers: new Map(),
          lists: new Map(),
          next: new Map(),
          versions: new Map(),
        };
        for (const name of JOBS) real.numbers.set(name, await jobs.addJob(name));
        try {
          await fc.asyncModelRun(() => ({ model: new Model(), real }), commands);
        } finally {
          await real.jobs[Symbol.asyncDispose]();
          rmSync(folder, { recursive: true });
        }
      }),
      { numRuns: 40 },
    );
  });
});
