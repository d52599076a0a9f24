import type { Migration } from 'kysely/migration';
import { state } from './state-migrations/0001-state.ts';
import { shadows } from './state-migrations/0002-shadows.ts';
import { shadowFleet } from './state-migrations/0003-shadow-fleet.ts';
import { shadowSearch } from './state-migrations/0004-shadow-search.ts';
import { commands } from './state-migrations/0005-commands.ts';
import { jobs } from './state-migrations/0006-jobs.ts';
import { commandNames } from './state-migrations/0007-command-names.ts';

/** Of the state: in the order of their names, never changed once released. */
export const STATE_MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-state': state,
  '0002-shadows': shadows,
  '0003-shadow-fleet': shadowFleet,
  '0004-shadow-search': shadowSearch,
  '0005-commands': commands,
  '0006-jobs': jobs,
  '0007-command-names': commandNames,
};
