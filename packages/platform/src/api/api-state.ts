import type { CommandCalls } from '../commands/command-calls.ts';
import type { StateDatabase } from '../database/schema.ts';
import type { JobCalls } from '../jobs/rollout/job-services.ts';
import type { Caller } from '../kernel/thread-channel.ts';
import type { ShadowFleetCalls } from '../shadows/bulk/shadow-fleet-calls.ts';
import type { ReplicaCalls } from '../shadows/replicas/replica-calls.ts';
import type { SearchCalls } from '../shadows/search/search-calls.ts';
import type { ShadowCalls } from '../shadows/shadow-calls.ts';
import type { StateFeed } from '../state/event-feed.ts';

/** All that the API asks of the thread that writes the state: each domain adds its calls (`ShadowCalls & CommandCalls & ...`). */
export type ApiStateCalls = ShadowCalls & ShadowFleetCalls & ReplicaCalls & SearchCalls & CommandCalls & JobCalls;

/** Shadows, commands and jobs, as the API sees them: read from here, changed by calls. */
export interface ApiState {
  /** Sees what was last committed. */
  readonly reader: StateDatabase;
  readonly calls: Caller<ApiStateCalls>;
  readonly events: StateFeed;
}
