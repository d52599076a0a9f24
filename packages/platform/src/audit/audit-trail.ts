import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { Actor } from './actor.ts';

/** One change. */
export interface AuditChange {
  readonly actor: Actor;
  /** `{object}.{verb}`: `device.update`, `certificate.revoke`. */
  readonly action: string;
  readonly object: { readonly kind: string; readonly id: string };
  /** The group that the object stands in; `/` for what belongs to all. */
  readonly group: string;
  /** What changes, as plain JSON values without any secret. Undefined: was not there. */
  readonly before?: unknown;
  /** Undefined: is no more. */
  readonly after?: unknown;
}

export interface AuditEntry extends AuditChange {
  readonly id: number;
  readonly atMs: number;
}

export interface AuditQuery {
  readonly objectKind?: string | undefined;
  readonly objectId?: string | undefined;
  readonly actorId?: string | undefined;
  readonly action?: string | undefined;
  /** Only what stands in one of these groups or below; undefined: all. */
  readonly groups?: readonly string[] | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  readonly limit: number;
  /** Of the page before. */
  readonly before?: number | undefined;
}

/** One statement of this size stays under a few ms. */
const ROWS_PER_STATEMENT = 200;
/** Longer descriptions are cut: the trail says what changed, it is not a backup. */
const MAX_DESCRIPTION = 64 * 1024;
const AFTER_SLASH = '0';

/** The append-only trail of changes: there is no way to change or remove an entry but by the database itself. */
export class AuditTrail {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(dependencies: { readonly database: Database; readonly clock: Clock }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
  }

  /**
   * Adds entries, in this order.
   *
   * @param transaction that of the change itself, so that neither is there without the other.
   * @param atMs when it was, for what comes by an outbox.
   */
  async record(
    changes: readonly AuditChange[],
    transaction: Database = this.#database,
    atMs: number = this.#clock.now(),
  ): Promise<void> {
    for (let start = 0; start < changes.length; start += ROWS_PER_STATEMENT) {
      const rows = changes.slice(start, start + ROWS_PER_STATEMENT).map((change) => rowOf(change, atMs));
      await transaction.insertInto('audit_entry').values(rows).execute();
    }
  }

  /** Newest first. */
  async list(query: AuditQuery): Promise<readonly AuditEntry[]> {
    let entries = this.#database.selectFrom('audit_entry').selectAll().orderBy('id', 'desc').limit(query.limit);
    if (query.objectKind !== undefined) entries = entries.where('object_kind', '=', query.objectKind);
    if (query.objectId !== undefined) entries = entries.where('object_id', '=', query.objectId);
    if (query.actorId !== undefined) entries = entries.where('actor_id', '=', query.actorId);
    if (query.action !== undefined) entries = entries.where('action', '=', query.action);
    if (query.fromMs !== undefined) entries = entries.where('at_ms', '>=', query.fromMs);
    if (query.toMs !== undefined) entries = entries.where('at_ms', '<', query.toMs);
    if (query.before !== undefined) entries = entries.where('id', '<', query.before);
    const { groups } = query;
    if (groups !== undefined && !groups.includes('/')) {
      entries = entries.where((builder) =>
        builder.or(
          groups.map((group) =>
            builder.or([
              builder('group_path', '=', group),
              builder.and([builder('group_path', '>', `${group}/`), builder('group_path', '<', group + AFTER_SLASH)]),
            ]),
          ),
        ),
      );
    }
    const rows = await entries.execute();
    return rows.map((row) => ({
      id: Number(row.id),
      atMs: Number(row.at_ms),
      actor: {
        kind: row.actor_kind as Actor['kind'],
        id: row.actor_id,
        name: row.actor_name,
        ...(row.remote_address !== null && { remoteAddress: row.remote_address }),
      },
      action: row.action,
      object: { kind: row.object_kind, id: row.object_id },
      group: row.group_path,
      ...(row.before !== null && { before: parse(row.before) }),
      ...(row.after !== null && { after: parse(row.after) }),
    }));
  }
}

function rowOf({ actor, action, object, group, before, after }: AuditChange, atMs: number) {
  return {
    at_ms: atMs,
    actor_kind: actor.kind,
    actor_id: actor.id,
    actor_name: actor.name,
    remote_address: actor.remoteAddress ?? null,
    action,
    object_kind: object.kind,
    object_id: object.id,
    group_path: group,
    before: describe(before),
    after: describe(after),
  };
}

function describe(value: unknown): string | null {
  if (value === undefined) return null;
  const text = JSON.stringify(value);
  return text.length <= MAX_DESCRIPTION ? text : JSON.stringify({ cut: text.slice(0, MAX_DESCRIPTION / 2) });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SelsynError('data.corrupt', 'an entry of the audit trail is not JSON', { cause: error });
  }
}
