import type { StateDatabase } from '../../database/schema.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { LogLines } from '../../kernel/log-lines.ts';
import type { StateWriter } from '../../state/state-writer.ts';
import type { ShadowFollower } from '../shadow-follower.ts';
import { FieldFilling, searchCalls, type SearchCalls } from './search-calls.ts';
import { ShadowSearch } from './shadow-search.ts';

/** Searchable fields of shadows, in the thread that writes these. */
export interface SearchServices extends Disposable {
  /** Of all changes of shadows. */
  readonly follower: ShadowFollower;
  readonly calls: SearchCalls;
  /** Goes on where it was with looking through shadows. */
  start(): void;
}

/** Must be there before shadows are changed: reads which fields there are. */
export async function openSearchServices(options: {
  readonly database: StateDatabase;
  readonly writer: Pick<StateWriter, 'run'>;
  readonly clock: Clock;
  readonly logLines: LogLines;
}): Promise<SearchServices> {
  const { database, writer, clock, logLines } = options;
  const search = new ShadowSearch(database);
  await search.open(database);
  const filling = new FieldFilling({ search, writer, clock, logLines });
  return {
    follower: search,
    calls: searchCalls({ search, writer, filling }),
    start: () => filling.start(),
    [Symbol.dispose]: () => filling[Symbol.dispose](),
  };
}
