import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Attempts } from './attempts.ts';
import type { OwnershipTokens } from './ownership-tokens.ts';

export interface ProvisioningSweeperDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly ownership: OwnershipTokens;
  readonly attempts: Attempts;
  readonly logLines: LogLines;
}

const EVERY_MS = 60_000;
const ROWS_AT_ONCE = 500;
/** A minute's rest after so many steps: it never works without end. */
const MAX_STEPS = 1_000;

/** Deletes, once a minute, the tokens whose hour is over, and attempts that are too old or too many. Their certificates go by themselves. */
export class ProvisioningSweeper implements AsyncDisposable {
  readonly #dependencies: ProvisioningSweeperDependencies;
  #cancel: (() => void) | undefined;
  #sweeping: Promise<void> | undefined;
  #isStopped = false;

  constructor(dependencies: ProvisioningSweeperDependencies) {
    this.#dependencies = dependencies;
  }

  start(): void {
    if (this.#isStopped) return;
    this.#cancel = this.#dependencies.clock.after(EVERY_MS, () => {
      this.#sweeping = this.sweep().finally(() => this.start());
    });
  }

  /** Does not reject. */
  async sweep(): Promise<void> {
    const { database, ownership, attempts, logLines } = this.#dependencies;
    try {
      for (let step = 0; step < MAX_STEPS && !this.#isStopped; step++) {
        const forgotten = await inTransaction(database, async (transaction) => {
          const swept = await ownership.forgetExpired(transaction, ROWS_AT_ONCE);
          await attempts.record(
            swept.unclaimed.map((each) => ({
              door: each.claimBatch === undefined ? ('rotation' as const) : ('claim' as const),
              outcome: 'abandoned' as const,
              certificateId: each.certificateId,
              claimBatch: each.claimBatch,
              clientId: each.clientId,
              remoteAddress: each.remoteAddress,
              steps: [...each.steps, 'not provisioned within an hour', 'certificate deleted'],
            })),
            transaction,
          );
          return swept.forgotten;
        });
        if (forgotten < ROWS_AT_ONCE && !(await attempts.clean())) break;
        await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      logLines.error({ err: error }, 'what is over of enrolments could not be swept');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    this.#cancel?.();
    await this.#sweeping;
  }
}
