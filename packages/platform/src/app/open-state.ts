import type { MessagePort } from 'node:worker_threads';
import type { ApiState } from '../api/api-state.ts';
import type { AuditTrail } from '../audit/audit-trail.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { SearchFollowing } from '../shadows/search/search-following.ts';
import type { Config } from './config-schema.ts';
import type { DataPaths } from './data-folder.ts';
import type { MetricsHub } from './metrics-hub.ts';
import { RegistryFollowed } from './registry-followed.ts';
import { startState } from './start-state.ts';
import { StateAudit } from './state-audit.ts';

/** Shadows, commands and jobs: their thread, and what main does of them. */
export interface PlatformState {
  readonly api: ApiState;
  /** The registry, as the state follows it. */
  readonly followed: RegistryFollowed;
  readonly searchFields: SearchFollowing;
  /** Of the gateway threads, in their order. */
  readonly gatewayPorts: readonly MessagePort[];
  /** Resolves, with the reason, when the thread has ended that should not. */
  readonly failed: Promise<Error>;
}

/** Starts the thread, and follows in main what it writes. @throws SelsynError `data.unwritable`, `data.corrupt` */
export async function openState(options: {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly metrics: MetricsHub;
  /** The registry. */
  readonly database: Database;
  readonly trail: Pick<AuditTrail, 'record'>;
  readonly clock: Clock;
  readonly logLines: LogLines;
  /** What ends before the registry does is added. */
  readonly ending: AsyncDisposableStack;
}): Promise<PlatformState> {
  const { database, trail, clock, logLines, ending } = options;
  const { thread, calls, events, reader, gatewayPorts } = await startState(options);
  ending.defer(async () => await thread.stop());
  ending.use(reader);
  const followed = ending.use(new RegistryFollowed({ state: thread.calls, database, clock, logLines }));
  followed.start();
  const taken = async (upTo: number): Promise<void> => await thread.calls.call('auditTaken', upTo);
  const audit = ending.use(new StateAudit({ state: reader.database, registry: database, trail, taken, clock, logLines }));
  audit.start();
  const searchFields = ending.use(new SearchFollowing({ state: reader.database, registry: database, calls, clock, logLines }));
  await searchFields.start();
  return { api: { reader: reader.database, calls, events }, followed, searchFields, gatewayPorts, failed: thread.failed };
}
