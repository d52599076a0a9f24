import type { AuditChange, AuditTrail } from '../audit/audit-trail.ts';
import type { Database, StateDatabase } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';

const POSITION = 'state-audit';
const ROWS_AT_ONCE = 500;
const LOOK_MS = 500;

/**
 * Brings changes of the state to the audit trail. They stand in two databases: a change is written to an outbox with what it changed,
 * and taken over with the position in the outbox, so that each is in the trail exactly once.
 */
export class StateAudit implements AsyncDisposable {
  readonly #state: StateDatabase;
  readonly #registry: Database;
  readonly #trail: Pick<AuditTrail, 'record'>;
  readonly #taken: (upTo: number) => Promise<void>;
  readonly #clock: Clock;
  readonly #logLines: LogLines;
  #cancel: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  /** @param dependencies.taken what is up to this id may go from the outbox. */
  constructor(dependencies: {
    readonly state: StateDatabase;
    readonly registry: Database;
    readonly trail: Pick<AuditTrail, 'record'>;
    readonly taken: (upTo: number) => Promise<void>;
    readonly clock: Clock;
    readonly logLines: LogLines;
  }) {
    this.#state = dependencies.state;
    this.#registry = dependencies.registry;
    this.#trail = dependencies.trail;
    this.#taken = dependencies.taken;
    this.#clock = dependencies.clock;
    this.#logLines = dependencies.logLines;
  }

  start(): void {
    if (this.#closed) return;
    this.#cancel = this.#clock.after(LOOK_MS, () => {
      this.#running = this.take()
        .catch((error: unknown) => {
          this.#logLines.error(
            { err: error },
            'changes of shadows, commands and jobs could not be brought to the audit trail; they are tried again',
          );
        })
        .then(() => this.start());
    });
  }

  /** Takes over all that there is. */
  async take(): Promise<void> {
    for (;;) {
      const position = await this.#position();
      const rows = await this.#state
        .selectFrom('state_audit')
        .selectAll()
        .where('id', '>', position)
        .orderBy('id')
        .limit(ROWS_AT_ONCE)
        .execute();
      const last = rows.at(-1);
      if (last === undefined) return;
      await this.#registry.transaction().execute(async (transaction) => {
        for (const row of rows) await this.#trail.record([JSON.parse(row.change) as AuditChange], transaction, Number(row.at_ms));
        await transaction
          .insertInto('registry_counter')
          .values({ name: POSITION, value: Number(last.id) })
          .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: Number(last.id) }))
          .execute();
      });
      await this.#taken(Number(last.id));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#running;
  }

  async #position(): Promise<number> {
    const row = await this.#registry
      .selectFrom('registry_counter')
      .select('value')
      .where('name', '=', POSITION)
      .executeTakeFirst();
    return Number(row?.value ?? 0);
  }
}
