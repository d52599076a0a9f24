import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Database, StateDatabase } from '../database/schema.ts';
import { hasRegistryChange, lastRegistryChange, readRegistryStream, type RegistryRow } from '../registry/registry-stream.ts';
import { chunksOf } from '../registry/statement-chunks.ts';
import type { Batch } from './batch.ts';
import type { RegistryChange, RegistryFollower } from './registry-changes.ts';
import type { StateDomain } from './state-domain.ts';
import type { StateWriter } from './state-writer.ts';

const STREAM = 'registry';
const ROWS_AT_ONCE = 1_000;
/** Whoever changes the registry says so; this is for when that was not heard. */
const LOOK_MS = 250;

/** Changes in their order, and up to where they go. */
interface FollowWork {
  readonly rows: readonly RegistryRow[];
  readonly position: number;
}

/**
 * Follows the changes of the registry: what is derived from them, and how far they were followed, are written together, so that each
 * counts exactly once whenever the process ends.
 *
 * Where one of the two databases was set back to a backup, the changes between them are not known: then every device is shown as it is,
 * and as removed where the registry does not have it.
 */
export class RegistryFollowing implements StateDomain<FollowWork, null>, AsyncDisposable {
  readonly name = 'registry';
  readonly #registry: Database;
  readonly #followers: readonly RegistryFollower[];
  readonly #writer: StateWriter;
  readonly #clock: Clock;
  readonly #logLines: LogLines;
  readonly #devicesOfState: (() => AsyncIterable<readonly string[]>) | undefined;
  #position = 0;
  #isApart = false;
  #running: Promise<void> | undefined;
  #again = false;
  #cancel: (() => void) | undefined;
  #closed = false;

  constructor(dependencies: {
    /** To be read. */
    readonly registry: Database;
    /** Each change is shown to them in this order. */
    readonly followers: readonly RegistryFollower[];
    readonly writer: StateWriter;
    /**
     * All devices of which the state has something that goes with them, in any order, some more than once. Undefined: the registry
     * need not know them.
     */
    readonly devicesOfState?: () => AsyncIterable<readonly string[]>;
    readonly clock: Clock;
    readonly logLines: LogLines;
  }) {
    this.#devicesOfState = dependencies.devicesOfState;
    this.#registry = dependencies.registry;
    this.#followers = dependencies.followers;
    this.#writer = dependencies.writer;
    this.#clock = dependencies.clock;
    this.#logLines = dependencies.logLines;
  }

  /** Up to where everything was followed. */
  get position(): number {
    return this.#position;
  }

  /** Follows all that there is, and goes on following. */
  async start(database: StateDatabase): Promise<void> {
    const row = await database.selectFrom('state_position').select('position').where('stream', '=', STREAM).executeTakeFirst();
    this.#position = Number(row?.position ?? 0);
    this.#isApart = this.#position > 0 && !(await hasRegistryChange(this.#registry, this.#position));
    await this.follow();
    this.#look();
  }

  /** Follows what there is now. @returns once all changes that were committed before this call are followed. */
  async follow(): Promise<void> {
    if (this.#running !== undefined) {
      // The one under way may have read already: one more reads what came since.
      this.#again = true;
      await this.#running;
      return;
    }
    this.#running = this.#run();
    await this.#running;
  }

  async apply(works: readonly FollowWork[], batch: Batch): Promise<readonly null[]> {
    const rows = works.flatMap((work) => work.rows);
    for (const run of runsOf(rows)) {
      const [first] = run;
      if (first?.kind === 'group') {
        const change = { from: first.subject, to: first.movedTo ?? undefined };
        for (const follower of this.#followers) await follower.groupChanged?.(change, batch);
      } else for (const follower of this.#followers) await follower.registryChanged(newest(run), batch);
    }
    const position = works.at(-1)?.position ?? this.#position;
    await batch.transaction
      .insertInto('state_position')
      .values({ stream: STREAM, position })
      .onConflict((conflict) => conflict.column('stream').doUpdateSet({ position }))
      .execute();
    batch.afterCommit(() => (this.#position = position));
    return works.map(() => null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      do {
        this.#again = false;
        if (this.#isApart) await this.#joinAgain();
        for (let more = true; more && !this.#closed;) {
          const rows = await readRegistryStream(this.#registry, this.#position, ROWS_AT_ONCE);
          const last = rows.at(-1);
          if (last !== undefined) await this.#writer.run(this, { rows, position: last.sequence });
          more = rows.length === ROWS_AT_ONCE;
        }
      } while (this.#again && !this.#closed);
    } catch (error) {
      this.#logLines.error(
        { err: error, position: this.#position },
        'changes of the registry could not be followed; they are tried again',
      );
    } finally {
      this.#running = undefined;
    }
  }

  async #joinAgain(): Promise<void> {
    this.#logLines.warn(
      { position: this.#position },
      'The registry and the state are not of the same time: what follows from devices is put together anew',
    );
    const [position, upTo, atMs] = [this.#position, await lastRegistryChange(this.#registry), this.#clock.now()];
    const show = async (kind: 'put' | 'removed', subjects: readonly string[]): Promise<void> => {
      const rows = subjects.map((subject) => ({ sequence: position, kind, subject, movedTo: null, atMs }));
      if (rows.length > 0) await this.#writer.run(this, { rows, position });
    };
    for await (const devices of this.#devicesOfState?.() ?? []) {
      if (this.#closed) return;
      const known = new Set<string>();
      for (const some of chunksOf([...new Set(devices)])) {
        const found = await this.#registry.selectFrom('device').select('id').where('id', 'in', some).execute();
        for (const { id } of found) known.add(id);
      }
      await show(
        'removed',
        [...new Set(devices)].filter((device) => !known.has(device)),
      );
    }
    for (let after = ''; !this.#closed;) {
      const query = this.#registry.selectFrom('device').select('id').where('id', '>', after).orderBy('id').limit(ROWS_AT_ONCE);
      const ids = (await query.execute()).map(({ id }) => id);
      await show('put', ids);
      const last = ids.at(-1);
      if (last === undefined) break;
      after = last;
    }
    if (this.#closed) return;
    // Only now: if the process ends before, it begins anew.
    await this.#writer.run(this, { rows: [], position: upTo });
    this.#isApart = false;
  }

  #look(): void {
    if (this.#closed) return;
    this.#cancel = this.#clock.after(LOOK_MS, () => {
      void this.follow().then(() => this.#look());
    });
  }
}

/** Changes of devices that stand together, and each change of a group by itself. */
function* runsOf(rows: readonly RegistryRow[]): Generator<readonly RegistryRow[]> {
  let run: RegistryRow[] = [];
  for (const row of rows) {
    if (row.kind !== 'group') {
      run.push(row);
      continue;
    }
    if (run.length > 0) yield run;
    run = [];
    yield [row];
  }
  if (run.length > 0) yield run;
}

/**
 * The last change of each device, in their order. One that was removed and added again is shown as both: what was of the device of
 * before must go.
 */
function newest(rows: readonly RegistryRow[]): readonly RegistryChange[] {
  const last = new Map<string, RegistryChange>();
  const removed = new Map<string, RegistryChange>();
  for (const { sequence, kind, subject, atMs } of rows) {
    if (kind === 'group') continue;
    const change = { sequence, device: subject, kind, atMs };
    if (kind === 'removed') removed.set(subject, change);
    last.set(subject, change);
  }
  const both = [...last.values()].flatMap((change) => {
    const before = change.kind === 'put' ? removed.get(change.device) : undefined;
    return before === undefined ? [change] : [before, change];
  });
  return both.toSorted((a, b) => a.sequence - b.sequence);
}
