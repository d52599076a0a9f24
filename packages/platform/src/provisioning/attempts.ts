import type { Database } from '../database/schema.ts';
import type { EnrolmentAttemptTable } from '../database/tables/provisioning-tables.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { AFTER_SLASH, ROOT_GROUP } from '../registry/group-path.ts';
import type { Scope } from '../registry/scope.ts';

export const DOORS = ['claim', 'rotation', 'token', 'est', 'just-in-time'] as const;
/** By which way a device came. `rotation`: it is enrolled already and wants another certificate. */
export type Door = (typeof DOORS)[number];

export const OUTCOMES = ['enrolled', 'renewed', 'refused', 'quarantined', 'abandoned'] as const;
/** `abandoned`: it got a certificate and did not use its token in time. */
export type AttemptOutcome = (typeof OUTCOMES)[number];

export interface AttemptDraft {
  readonly door: Door;
  readonly outcome: AttemptOutcome;
  /** A RefusalReason; undefined where it was not refused. */
  readonly reason?: string | undefined;
  readonly template?: string | undefined;
  readonly serial?: string | undefined;
  readonly deviceId?: string | undefined;
  readonly certificateId?: string | undefined;
  readonly claimBatch?: string | undefined;
  readonly clientId?: string | undefined;
  readonly remoteAddress?: string | undefined;
  readonly group?: string | undefined;
  readonly steps: readonly string[];
}

export interface Attempt extends AttemptDraft {
  readonly id: number;
  readonly atMs: number;
  readonly group: string;
}

export interface AttemptQuery {
  readonly template?: string | undefined;
  readonly serial?: string | undefined;
  readonly deviceId?: string | undefined;
  readonly claimBatch?: string | undefined;
  readonly outcome?: AttemptOutcome | undefined;
  readonly scope: Scope;
  readonly limit: number;
  /** Of the page before. */
  readonly before?: number | undefined;
}

export interface AttemptsDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly logLines: LogLines;
  /** The newest that are kept. */
  readonly maxKept?: number;
  readonly maxAgeMs?: number;
}

const DAY_MS = 86_400_000;
const MAX_KEPT = 200_000;
const MAX_AGE_MS = 30 * DAY_MS;
/** What waits to be written; what comes on top is counted and dropped: nobody fills the memory by being refused. */
const MAX_WAITING = 5_000;
const FLUSH_MS = 250;
const ROWS_PER_STATEMENT = 100;
const ROWS_PER_CLEANING = 2_000;
const MAX_CLIENT_ID = 256;

/**
 * What became of everybody who wanted to enrol.
 *
 * Refusals are written a quarter of a second later, many at once; what is said of a device that was let in is written in the
 * transaction that lets it in.
 */
export class Attempts implements AsyncDisposable {
  readonly #dependencies: AttemptsDependencies;
  #waiting: Omit<EnrolmentAttemptTable, 'id'>[] = [];
  #dropped = 0;
  #cancel: (() => void) | undefined;
  #writing: Promise<void> | undefined;

  constructor(dependencies: AttemptsDependencies) {
    this.#dependencies = dependencies;
  }

  /** Does not wait until it is written. */
  note(draft: AttemptDraft): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(rowOf(draft, this.#dependencies.clock.now()));
    this.#cancel ??= this.#dependencies.clock.after(FLUSH_MS, () => {
      this.#cancel = undefined;
      void this.flush();
    });
  }

  /** As part of a transaction. */
  async record(drafts: readonly AttemptDraft[], transaction: Database): Promise<void> {
    const nowMs = this.#dependencies.clock.now();
    await insert(
      transaction,
      drafts.map((draft) => rowOf(draft, nowMs)),
    );
  }

  /** Writes what was noted. Does not reject. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    if (this.#waiting.length === 0) return;
    this.#writing = this.#write();
    await this.#writing;
    this.#writing = undefined;
  }

  /** Newest first. What is noted and not yet written is in it. */
  async list(query: AttemptQuery): Promise<readonly Attempt[]> {
    await this.flush();
    let rows = this.#dependencies.database.selectFrom('enrolment_attempt').selectAll().orderBy('id', 'desc').limit(query.limit);
    if (query.template !== undefined) rows = rows.where('template', '=', query.template);
    if (query.serial !== undefined) rows = rows.where('serial', '=', query.serial);
    if (query.deviceId !== undefined) rows = rows.where('device_id', '=', query.deviceId);
    if (query.claimBatch !== undefined) rows = rows.where('claim_batch', '=', query.claimBatch);
    if (query.outcome !== undefined) rows = rows.where('outcome', '=', query.outcome);
    if (query.before !== undefined) rows = rows.where('id', '<', query.before);
    const { groups } = query.scope;
    if (!groups.includes(ROOT_GROUP)) {
      rows = rows.where((builder) =>
        builder.or(
          groups.flatMap((group) => [
            builder('group_path', '=', group),
            builder.and([builder('group_path', '>', `${group}/`), builder('group_path', '<', group + AFTER_SLASH)]),
          ]),
        ),
      );
    }
    return (await rows.execute()).map(attemptOf);
  }

  /** Takes away what is too old or too much, a bounded number of rows at a time. @returns whether there may be more to do. */
  async clean(): Promise<boolean> {
    const { database, clock, maxKept = MAX_KEPT, maxAgeMs = MAX_AGE_MS } = this.#dependencies;
    const edge = await database
      .selectFrom('enrolment_attempt')
      .select((builder) => [builder.fn.max('id').as('newest'), builder.fn.min('id').as('oldest')])
      .executeTakeFirst();
    if (edge?.newest === null || edge?.newest === undefined) return false;
    const oldest = Number(edge.oldest);
    const upTo = Math.min(oldest + ROWS_PER_CLEANING, Number(edge.newest) + 1);
    const keepFrom = Number(edge.newest) - maxKept + 1;
    const deleted = await database
      .deleteFrom('enrolment_attempt')
      .where('id', '<', upTo)
      .where((builder) => builder.or([builder('id', '<', keepFrom), builder('at_ms', '<', clock.now() - maxAgeMs)]))
      .executeTakeFirst();
    return Number(deleted.numDeletedRows) === ROWS_PER_CLEANING;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    await this.flush();
  }

  async #write(): Promise<void> {
    const { database, logLines } = this.#dependencies;
    const rows = this.#waiting;
    const dropped = this.#dropped;
    this.#waiting = [];
    this.#dropped = 0;
    if (dropped > 0) logLines.warn({ dropped }, 'refused enrolments came faster than they could be written down');
    try {
      await database.transaction().execute(async (transaction) => await insert(transaction, rows));
    } catch (error) {
      logLines.error({ err: error, attempts: rows.length }, 'enrolment attempts could not be written down');
    }
  }
}

async function insert(transaction: Database, rows: readonly Omit<EnrolmentAttemptTable, 'id'>[]): Promise<void> {
  for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
    await transaction
      .insertInto('enrolment_attempt')
      .values(rows.slice(start, start + ROWS_PER_STATEMENT))
      .execute();
  }
}

function rowOf(draft: AttemptDraft, atMs: number): Omit<EnrolmentAttemptTable, 'id'> {
  return {
    at_ms: atMs,
    door: draft.door,
    outcome: draft.outcome,
    reason: draft.reason ?? null,
    template: draft.template?.slice(0, 128) ?? null,
    serial: draft.serial?.slice(0, 128) ?? null,
    device_id: draft.deviceId ?? null,
    certificate_id: draft.certificateId ?? null,
    claim_batch: draft.claimBatch ?? null,
    client_id: draft.clientId?.slice(0, MAX_CLIENT_ID) ?? null,
    remote_address: draft.remoteAddress?.slice(0, 64) ?? null,
    group_path: draft.group ?? ROOT_GROUP,
    steps: JSON.stringify(draft.steps),
  };
}

function attemptOf(row: { [K in keyof EnrolmentAttemptTable]: K extends 'id' ? number : EnrolmentAttemptTable[K] }): Attempt {
  return {
    id: Number(row.id),
    atMs: Number(row.at_ms),
    door: row.door as Door,
    outcome: row.outcome as AttemptOutcome,
    ...(row.reason !== null && { reason: row.reason }),
    ...(row.template !== null && { template: row.template }),
    ...(row.serial !== null && { serial: row.serial }),
    ...(row.device_id !== null && { deviceId: row.device_id }),
    ...(row.certificate_id !== null && { certificateId: row.certificate_id }),
    ...(row.claim_batch !== null && { claimBatch: row.claim_batch }),
    ...(row.client_id !== null && { clientId: row.client_id }),
    ...(row.remote_address !== null && { remoteAddress: row.remote_address }),
    group: row.group_path,
    steps: parseSteps(row.steps),
  };
}

/** @throws SelsynError `data.corrupt` */
export function parseSteps(text: string): readonly string[] {
  const steps: unknown = JSON.parse(text);
  if (Array.isArray(steps) && steps.every((step) => typeof step === 'string')) return steps;
  throw new SelsynError('data.corrupt', 'the steps of an enrolment are no list of texts');
}
