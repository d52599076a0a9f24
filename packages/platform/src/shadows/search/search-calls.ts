import type { Actor } from '../../audit/actor.ts';
import type { Clock } from '../../kernel/clock.ts';
import { SelsynError } from '../../kernel/errors.ts';
import type { LogLines } from '../../kernel/log-lines.ts';
import { MAX_SHADOW_FIELD_LENGTH, parseShadowField } from '../../registry/shadow-field.ts';
import type { StateWriter } from '../../state/state-writer.ts';
import type { SearchableField } from './declared-fields.ts';
import type { SearchResult, SearchWork, ShadowSearch } from './shadow-search.ts';

/** What main asks about searchable fields. */
export type SearchCalls = {
  /** Nothing where it is declared already. @throws SelsynError `request.invalid` */
  declareShadowField: (call: { readonly field: string; readonly actor: Actor }) => Promise<SearchableField>;
  /** @returns false: it was not declared. */
  dropShadowField: (call: { readonly field: string; readonly actor: Actor }) => Promise<boolean>;
  /** The registry has lost what it had: looks through all shadows again. */
  refillShadowFields: (call: null) => Promise<void>;
  /** Values up to this sequence are in the registry for good. */
  shadowValuesTaken: (sequence: number) => Promise<void>;
};

/** While too much waits to be written, or the disk is full. */
const RETRY_MS = 1_000;

/** Fills fields that were declared after there were shadows, step by step, so that other changes go on meanwhile. */
export class FieldFilling implements Disposable {
  readonly #search: ShadowSearch;
  readonly #writer: Pick<StateWriter, 'run'>;
  readonly #clock: Clock;
  readonly #logLines: LogLines;
  #running = false;
  #again = false;
  #cancel: (() => void) | undefined;
  #ended = false;

  constructor(dependencies: {
    readonly search: ShadowSearch;
    readonly writer: Pick<StateWriter, 'run'>;
    readonly clock: Clock;
    readonly logLines: LogLines;
  }) {
    this.#search = dependencies.search;
    this.#writer = dependencies.writer;
    this.#clock = dependencies.clock;
    this.#logLines = dependencies.logLines;
  }

  /** Goes on where it was, if it was not done. */
  start(): void {
    this.#again = true;
    if (!this.#running) void this.#run();
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#cancel?.();
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      while (this.#again && !this.#ended) {
        const result: SearchResult = await this.#writer.run(this.#search, { kind: 'fill' });
        this.#again = result.kind === 'done' && result.more;
      }
    } catch (error) {
      if (this.#ended) return;
      this.#logLines.warn({ err: error }, 'Looking through shadows for searchable fields was interrupted; it is tried again');
      this.#cancel?.();
      this.#cancel = this.#clock.after(RETRY_MS, () => this.start());
    } finally {
      this.#running = false;
    }
  }
}

export function searchCalls(dependencies: {
  readonly search: ShadowSearch;
  readonly writer: Pick<StateWriter, 'run'>;
  readonly filling: FieldFilling;
}): SearchCalls {
  const { search, writer, filling } = dependencies;
  const run = async (work: SearchWork): Promise<SearchResult> => {
    const result = await writer.run(search, work);
    if (result.kind === 'refused') throw result.error;
    return result;
  };
  return {
    declareShadowField: async ({ field, actor }) => {
      if (parseShadowField(field) === undefined) throw notAField(field);
      const result = await run({ kind: 'declare', field, actor });
      filling.start();
      if (result.kind === 'field' && result.field !== undefined) return result.field;
      throw new SelsynError('internal', 'a searchable field was not declared');
    },
    dropShadowField: async ({ field, actor }) => {
      const result = await run({ kind: 'drop', field, actor });
      return result.kind === 'field' && result.field !== undefined;
    },
    refillShadowFields: async () => {
      await run({ kind: 'refill' });
      filling.start();
    },
    shadowValuesTaken: async (sequence) => {
      await run({ kind: 'taken', sequence });
    },
  };
}

export function notAField(field: string): SelsynError {
  const shown = JSON.stringify(field.slice(0, MAX_SHADOW_FIELD_LENGTH));
  return new SelsynError(
    'request.invalid',
    `${shown} is no field of a shadow: shadow.reported.NAME or shadow.desired.NAME, of a named shadow shadow.SHADOW.reported.NAME`,
    { details: { field: 'field' } },
  );
}
