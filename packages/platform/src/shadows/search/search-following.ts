import type { Actor } from '../../audit/actor.ts';
import type { Database, StateDatabase } from '../../database/schema.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { LogLines } from '../../kernel/log-lines.ts';
import type { Caller } from '../../kernel/thread-channel.ts';
import { ShadowTermStore } from '../../registry/shadow-term-store.ts';
import { listSearchableFields, type SearchableField } from './declared-fields.ts';
import type { SearchCalls } from './search-calls.ts';
import { lastSequence, takenSequence } from './value-queue.ts';

export interface SearchFollowingOptions {
  /** Sees what was last committed. */
  readonly state: StateDatabase;
  /** Of the one who writes it. */
  readonly registry: Database;
  readonly calls: Caller<SearchCalls>;
  readonly clock: Clock;
  readonly logLines: LogLines;
}

/** In one transaction of the registry: some 5 ms, 50 where all values are different. */
const VALUES_AT_ONCE = 500;
/** The state takes so many away in one transaction, some 5 ms. */
const TAKEN_AT_ONCE = 2_000;
const PAUSE_MS = 250;

/**
 * Follows what changes in searchable fields of shadows, so that devices are found by it: a few times a second, many changes at once, and
 * not at all where no field is declared. Up to where it came stands in the registry, written with the postings: after a kill -9 it goes on
 * exactly there.
 */
export class SearchFollowing implements AsyncDisposable {
  readonly #state: StateDatabase;
  readonly #terms: ShadowTermStore;
  readonly #calls: Caller<SearchCalls>;
  readonly #clock: Clock;
  readonly #logLines: LogLines;
  #running: Promise<void> = Promise.resolve();
  #hasFields = false;
  /** Values are there of devices that are not; at the start nobody knows. */
  #areWaiting = true;
  #cancel: (() => void) | undefined;
  #ended = false;

  constructor(options: SearchFollowingOptions) {
    this.#state = options.state;
    this.#terms = new ShadowTermStore(options.registry);
    this.#calls = options.calls;
    this.#clock = options.clock;
    this.#logLines = options.logLines;
  }

  /** Follows all that has happened meanwhile, and goes on doing so. */
  async start(): Promise<void> {
    await this.#takeFields();
    const position = await this.#terms.position();
    if (position < (await takenSequence(this.#state)) || position > (await lastSequence(this.#state))) {
      // One of the two databases was set back to a backup: what is between them is not known.
      this.#logLines.warn({ position }, 'What devices are found by in shadows is put together anew');
      await this.#terms.reset();
      await this.#calls.call('refillShadowFields', null);
    }
    await this.follow();
    this.#schedule();
  }

  /** All searchable fields, in the order of their declaration. */
  async list(): Promise<readonly SearchableField[]> {
    return await listSearchableFields(this.#state);
  }

  /** Filters may ask for it from then on. @throws SelsynError `request.invalid` */
  async declare(field: string, actor: Actor): Promise<SearchableField> {
    const declared = await this.#calls.call('declareShadowField', { field, actor });
    await this.#takeFields();
    this.#schedule();
    return declared;
  }

  /** @returns false: it was not declared. */
  async drop(field: string, actor: Actor): Promise<boolean> {
    const isDropped = await this.#calls.call('dropShadowField', { field, actor });
    await this.#takeFields();
    this.#schedule();
    return isDropped;
  }

  /** Takes over all that there is. Calls follow one another. */
  async follow(): Promise<void> {
    const next = this.#running.catch(() => {}).then(async () => await this.#follow());
    this.#running = next;
    await next;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    this.#cancel?.();
    await this.#running.catch(() => {});
  }

  async #takeFields(): Promise<void> {
    const fields = await listSearchableFields(this.#state);
    await this.#terms.setFields(fields.map(({ id, field, createdAtMs }) => ({ stateId: id, field, createdAtMs })));
    this.#hasFields = fields.length > 0;
  }

  async #follow(): Promise<void> {
    let position = await this.#terms.position();
    let told = position;
    let untold = 0;
    while (!this.#ended) {
      const rows = await this.#state
        .selectFrom('shadow_field_value')
        .selectAll()
        .where('sequence', '>', position)
        .orderBy('sequence')
        .limit(VALUES_AT_ONCE)
        .execute();
      const last = rows.at(-1);
      if (last === undefined) break;
      position = Number(last.sequence);
      const changes = rows.map((row) => ({ device: row.device, stateId: Number(row.field_id), value: row.value }));
      await this.#terms.apply(changes, position, this.#clock.now());
      this.#areWaiting = true;
      untold += rows.length;
      if (untold >= TAKEN_AT_ONCE) {
        await this.#calls.call('shadowValuesTaken', position);
        [told, untold] = [position, 0];
      }
      await letOthersIn();
    }
    if (position > told) await this.#calls.call('shadowValuesTaken', position);
    if (this.#areWaiting) this.#areWaiting = (await this.#terms.settle(this.#clock.now())) > 0;
    while (!this.#ended && (await this.#terms.cleanUp())) await letOthersIn();
  }

  #schedule(): void {
    if (this.#ended || this.#cancel !== undefined) return;
    this.#cancel = this.#clock.after(PAUSE_MS, () => {
      this.#cancel = undefined;
      void this.#again();
    });
  }

  async #again(): Promise<void> {
    try {
      await this.follow();
    } catch (error) {
      if (!this.#ended)
        this.#logLines.error({ err: error }, 'Searchable fields of shadows could not be followed; it is tried again');
    }
    if (this.#hasFields || this.#areWaiting) this.#schedule();
  }
}

/** The statements of one transaction after another would keep this thread from everything else. */
async function letOthersIn(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}
