import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import { AFTER_SLASH, ROOT_GROUP } from '../registry/group-path.ts';
import { isEverything, type Scope } from '../registry/scope.ts';
import { chunksOf } from '../registry/statement-chunks.ts';
import type { AlertKind, PresenceNews } from './loss-watch.ts';

/** It was told of a device that it is gone, or comes and goes. Times are wall times, ms. */
export interface PresenceAlert {
  readonly id: number;
  readonly deviceId: string;
  readonly group: string;
  readonly kind: AlertKind;
  /** When it went, of `flapping` the last time before it was told of. */
  readonly sinceMs: number;
  /** Why it went: see Connectivity.goneReason. */
  readonly reason: string | undefined;
  /** How often it went within the window. */
  readonly losses: number;
  readonly raisedAtMs: number;
  /** Undefined while it is open. */
  readonly resolvedAtMs: number | undefined;
}

export interface PresenceAlertQuery {
  readonly state?: 'open' | 'resolved' | undefined;
  readonly deviceId?: string | undefined;
  readonly scope?: Scope | undefined;
  readonly limit: number;
  /** The id of the last one of the page before. */
  readonly before?: number | undefined;
}

/** Keeps alerts of devices that are gone, newest last. Those that are resolved go after a while. */
export class PresenceAlertStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Writes news, in their order, in one transaction; what is of devices that were removed is passed over.
   * @returns those that were written.
   */
  async write(news: readonly PresenceNews[], nowMs: number): Promise<readonly PresenceNews[]> {
    return await inTransaction(this.#database, async (transaction) => {
      const known = await this.#among(
        transaction,
        news.map(({ device }) => device),
      );
      const written = news.filter(({ device }) => known.has(device));
      for (const one of written) {
        if (one.news === 'raised') {
          const { device, kind, sinceMs, reason, losses } = one;
          await transaction
            .insertInto('presence_alert')
            .values({ device_id: device, kind, since_ms: sinceMs, reason: reason ?? null, losses, raised_at_ms: nowMs })
            .execute();
        } else {
          await transaction
            .updateTable('presence_alert')
            .set({ resolved_at_ms: nowMs })
            .where('device_id', '=', one.device)
            .where('resolved_at_ms', 'is', null)
            .execute();
        }
      }
      return written;
    });
  }

  /** Those that are open, in pages by id. */
  async open(
    after: number,
    limit: number,
  ): Promise<readonly { readonly id: number; device: string; kind: AlertKind; sinceMs: number }[]> {
    const rows = await this.#database
      .selectFrom('presence_alert')
      .select(['id', 'device_id', 'kind', 'since_ms'])
      .where('resolved_at_ms', 'is', null)
      .where('id', '>', after)
      .orderBy('id')
      .limit(limit)
      .execute();
    return rows.map((row) => ({ id: Number(row.id), device: row.device_id, kind: row.kind, sinceMs: Number(row.since_ms) }));
  }

  /** How many are open. */
  async countOpen(): Promise<number> {
    const { count } = await this.#database
      .selectFrom('presence_alert')
      .select((builder) => builder.fn.countAll<number>().as('count'))
      .where('resolved_at_ms', 'is', null)
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /** Newest first. */
  async list({ state, deviceId, scope, limit, before }: PresenceAlertQuery): Promise<readonly PresenceAlert[]> {
    let query = this.#database
      .selectFrom('presence_alert')
      .innerJoin('device', 'device.id', 'presence_alert.device_id')
      .innerJoin('device_group', 'device_group.id', 'device.group_id')
      .selectAll('presence_alert')
      .select('device_group.path')
      .orderBy('presence_alert.id', 'desc')
      .limit(limit);
    if (state !== undefined) query = query.where('resolved_at_ms', state === 'open' ? 'is' : 'is not', null);
    if (deviceId !== undefined) query = query.where('device_id', '=', deviceId);
    if (before !== undefined) query = query.where('presence_alert.id', '<', before);
    if (scope !== undefined && !isEverything(scope)) {
      query = query.where((builder) =>
        builder.or(
          scope.groups.flatMap((group) => [
            builder('path', '=', group),
            builder.and([builder('path', '>', `${group}/`), builder('path', '<', group + AFTER_SLASH)]),
          ]),
        ),
      );
    }
    const rows = await query.execute();
    return rows.map((row) => ({
      id: Number(row.id),
      deviceId: row.device_id,
      group: row.path ?? ROOT_GROUP,
      kind: row.kind,
      sinceMs: Number(row.since_ms),
      reason: row.reason ?? undefined,
      losses: Number(row.losses),
      raisedAtMs: Number(row.raised_at_ms),
      resolvedAtMs: row.resolved_at_ms === null ? undefined : Number(row.resolved_at_ms),
    }));
  }

  /** Forgets those that were resolved before. */
  async removeResolvedBefore(ms: number): Promise<void> {
    await this.#database.deleteFrom('presence_alert').where('resolved_at_ms', '<', ms).execute();
  }

  async #among(transaction: Database, devices: readonly string[]): Promise<ReadonlySet<string>> {
    const known = new Set<string>();
    for (const some of chunksOf([...new Set(devices)])) {
      const rows = await transaction.selectFrom('device').select('id').where('id', 'in', some).execute();
      for (const { id } of rows) known.add(id);
    }
    return known;
  }
}
