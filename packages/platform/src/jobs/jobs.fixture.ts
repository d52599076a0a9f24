import { openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import type { StateDatabase, StateSchema } from '../database/schema.ts';
import { STATE_MIGRATIONS } from '../database/state-migrations.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import type { Batch } from '../state/batch.ts';
import type { OutgoingMessage } from '../state/outgoing.ts';
import type { StateDomain } from '../state/state-domain.ts';
import type { StateEvent } from '../state/state-events.ts';
import { StateWriter } from '../state/state-writer.ts';
import { ExecutionStore } from './execution-store.ts';
import { JobDomain } from './job-domain.ts';
import { StoredExecutions } from './stored-executions.ts';

type Step = (batch: Batch) => Promise<unknown>;

/** Jobs over one database, with nothing that orchestrates them: jobs are put there by `addJob`. */
export class TestJobs implements AsyncDisposable {
  readonly database: StateDatabase;
  readonly clock: FakeClock;
  readonly writer: StateWriter;
  readonly executions = new StoredExecutions();
  readonly domain: JobDomain;
  readonly store: ExecutionStore;
  /** What was published, oldest first; `take` empties it. */
  messages: OutgoingMessage[] = [];
  events: StateEvent[] = [];
  readonly #close: () => Promise<void>;
  /** Any function as a work: what the orchestration does. */
  readonly #steps: StateDomain<Step, unknown> = {
    name: 'steps',
    apply: async (steps, batch) => {
      const results: unknown[] = [];
      for (const step of steps) results.push(await step(batch));
      return results;
    },
  };

  private constructor(database: StateDatabase, clock: FakeClock, close: () => Promise<void>) {
    this.database = database;
    this.clock = clock;
    this.#close = close;
    const outlet = {
      publish: (messages: readonly OutgoingMessage[]) => void this.messages.push(...messages),
      isWatched: () => true,
      tell: (events: readonly StateEvent[]) => void this.events.push(...events),
    };
    this.writer = new StateWriter({ database, outlet, clock, logLines: silentLogLines });
    this.domain = new JobDomain({ writer: this.writer, executions: this.executions, clock, logLines: silentLogLines });
    this.store = new ExecutionStore({ database });
  }

  /** Opens the same again after another was closed: as after a restart. */
  static async open(options: { readonly path?: string; readonly clock?: FakeClock } = {}): Promise<TestJobs> {
    const file = openSqliteDatabase<StateSchema>(options.path ?? ':memory:');
    await migrate(file.database, STATE_MIGRATIONS);
    const jobs = new TestJobs(file.database, options.clock ?? new FakeClock(), () => file[Symbol.asyncDispose]());
    await jobs.domain.start();
    return jobs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.domain[Symbol.asyncDispose]();
    await this.writer[Symbol.asyncDispose]();
    await this.#close();
  }

  /** Does something within a batch. */
  async step<T>(step: (batch: Batch) => Promise<T>): Promise<T> {
    return (await this.writer.run(this.#steps, step)) as T;
  }

  /** @returns its number. */
  async addJob(id: string, options: { readonly document?: unknown; readonly timeoutMs?: number } = {}): Promise<number> {
    const { number } = await this.database
      .insertInto('job')
      .values({
        id,
        group_path: '/',
        status: 'IN_PROGRESS',
        selection: 'snapshot',
        targets: '[]',
        document: JSON.stringify(options.document ?? { operation: id }),
        description: null,
        config: '{}',
        in_progress_timeout_ms: options.timeoutMs ?? null,
        progress: '{}',
        next_at_ms: null,
        created_at_ms: this.clock.now(),
        updated_at_ms: this.clock.now(),
        completed_at_ms: null,
      })
      .returning('number')
      .executeTakeFirstOrThrow();
    return Number(number);
  }

  /** Queues a job for devices. */
  async queue(job: number, ...devices: readonly string[]): Promise<number> {
    return await this.step((batch) =>
      this.executions.add(
        job,
        devices.map((device) => ({ device })),
        batch,
      ),
    );
  }

  /** Publishes as a device does, below its `jobs/`. @returns the answer, once it is there, and what else was published. */
  async ask(
    device: string,
    topic: string,
    body: unknown = {},
  ): Promise<{ readonly answer: Published; readonly others: readonly Published[] }> {
    const name = `$aws/things/${device}/jobs/${topic}`;
    const before = this.take();
    const payload = body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body));
    const from = { gateway: 0, client: device };
    await this.domain.request({ topic: name, payload, clientId: device, principalId: device, from });
    const published = this.take();
    this.messages = [];
    const answer = published.find((message) => message.topic.startsWith(`${name}/`));
    if (answer === undefined) throw new Error(`no answer to ${name}, only ${JSON.stringify([...before, ...published])}`);
    return { answer, others: published.filter((message) => message !== answer) };
  }

  /** What was published since it was last taken. */
  take(): readonly Published[] {
    const taken = this.messages;
    this.messages = [];
    return taken.map(({ topic, payload }) => ({ topic, body: JSON.parse(Buffer.from(payload).toString()) as Published['body'] }));
  }
}

export interface Published {
  readonly topic: string;
  readonly body: Readonly<Record<string, unknown>>;
}
