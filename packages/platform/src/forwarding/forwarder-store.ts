import type { Actor } from '../audit/actor.ts';
import { AuditTrail } from '../audit/audit-trail.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import type { ForwarderTable } from '../database/tables/forwarder-tables.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { ROOT_GROUP } from '../registry/group-path.ts';
import { forwarderPlace, type Sealer } from '../secrets/sealer.ts';
import { checkForwarder } from './check-forwarder.ts';
import { type BatchSettings, DEFAULT_BATCH, type Forwarder, type OpenForwarder } from './forwarder.ts';
import { type SecretName, TARGET_SECRETS, type TargetSecrets, type TargetSettings } from './target-settings.ts';

/** What is absent is as in DEFAULT_BATCH, or stays. */
type SomeBatchSettings = { readonly [K in keyof BatchSettings]?: number | undefined };

export interface ForwarderDraft {
  readonly id: string;
  readonly description?: string | undefined;
  readonly target: TargetSettings;
  readonly format?: Forwarder['format'] | undefined;
  readonly filter?: Forwarder['filter'] | undefined;
  readonly batch?: SomeBatchSettings | undefined;
  readonly startAt?: Forwarder['startAt'] | undefined;
  readonly paused?: boolean | undefined;
  readonly secrets?: TargetSecrets | undefined;
}

/** What is absent stays; a part that is given takes the place of the whole part. */
export interface ForwarderPatch extends Omit<ForwarderDraft, 'id' | 'startAt' | 'target' | 'secrets'> {
  readonly target?: TargetSettings | undefined;
  /** One by one; null takes it away. */
  readonly secrets?: { readonly [N in SecretName]?: string | null | undefined } | undefined;
}

/** A forwarder, and the names of the secrets that it has. */
export interface KnownForwarder extends Forwarder {
  readonly secretNames: readonly string[];
}

/** Each reads the log by itself. */
export const MAX_FORWARDERS = 32;

/** Who gets a copy of live telemetry; secrets are sealed. */
export class ForwarderStore {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #sealer: Sealer;
  readonly #audit: AuditTrail;

  constructor(dependencies: { readonly database: Database; readonly clock: Clock; readonly sealer: Sealer }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#sealer = dependencies.sealer;
    this.#audit = new AuditTrail(dependencies);
  }

  /** All, ordered by id. @throws SelsynError `secrets.unreadable` */
  async list(): Promise<readonly OpenForwarder[]> {
    const rows = await this.#database.selectFrom('forwarder').selectAll().orderBy('id').execute();
    return rows.map((row) => this.#open(row));
  }

  /** @throws SelsynError `forwarder.not-found` */
  async get(id: string): Promise<OpenForwarder> {
    const row = await this.#database.selectFrom('forwarder').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw new SelsynError('forwarder.not-found', `there is no forwarder ${id}`, { details: { id } });
    return this.#open(row);
  }

  /** @throws SelsynError `forwarder.exists`, `request.invalid`, `request.too-large` */
  async create(draft: ForwarderDraft, actor: Actor): Promise<OpenForwarder> {
    const nowMs = this.#clock.now();
    const { secrets = {}, id } = draft;
    const forwarder: Forwarder = {
      id,
      description: draft.description,
      target: draft.target,
      format: draft.format ?? (draft.target.kind === 'influxdb' ? 'samples' : 'raw'),
      filter: draft.filter ?? {},
      batch: batchOf(DEFAULT_BATCH, draft.batch),
      startAt: draft.startAt ?? 'now',
      paused: draft.paused ?? false,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
    };
    checkForwarder(forwarder, secrets);
    return await inTransaction(this.#database, async (transaction) => {
      const { count } = await transaction
        .selectFrom('forwarder')
        .select((builder) => builder.fn.countAll().as('count'))
        .executeTakeFirstOrThrow();
      if (Number(count) >= MAX_FORWARDERS)
        throw new SelsynError('request.too-large', `there are ${MAX_FORWARDERS} forwarders, which is as many as there can be`);
      const inserted = await transaction
        .insertInto('forwarder')
        .values({ ...this.#columnsOf({ forwarder, secrets }), id, created_at_ms: nowMs })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .executeTakeFirst();
      if (inserted.numInsertedOrUpdatedRows === 0n)
        throw new SelsynError('forwarder.exists', `there is a forwarder ${id} already`, { details: { id } });
      const made = { forwarder, secrets };
      await this.#record(transaction, actor, 'create', undefined, made);
      return made;
    });
  }

  /** @throws SelsynError `forwarder.not-found`, `request.invalid` */
  async update(id: string, patch: ForwarderPatch, actor: Actor): Promise<OpenForwarder> {
    return await inTransaction(this.#database, async (transaction) => {
      const before = await new ForwarderStore({ database: transaction, clock: this.#clock, sealer: this.#sealer }).get(id);
      const { forwarder: known } = before;
      const target = patch.target ?? known.target;
      const forwarder: Forwarder = {
        ...known,
        // An empty one takes it away.
        description: (patch.description ?? known.description) || undefined,
        target,
        format: patch.format ?? known.format,
        filter: patch.filter ?? known.filter,
        batch: batchOf(known.batch, patch.batch),
        paused: patch.paused ?? known.paused,
        updatedAtMs: this.#clock.now(),
      };
      ensureSecretsAreMeant(before, target, patch);
      const after = { forwarder, secrets: secretsAfter(before, patch, target.kind) };
      checkForwarder(forwarder, after.secrets);
      await transaction.updateTable('forwarder').set(this.#columnsOf(after)).where('id', '=', id).execute();
      await this.#record(transaction, actor, 'update', before, after);
      return after;
    });
  }

  /** @throws SelsynError `forwarder.not-found` */
  async remove(id: string, actor: Actor): Promise<void> {
    await inTransaction(this.#database, async (transaction) => {
      const known = await new ForwarderStore({ database: transaction, clock: this.#clock, sealer: this.#sealer }).get(id);
      await transaction.deleteFrom('forwarder').where('id', '=', id).execute();
      await this.#record(transaction, actor, 'delete', known, undefined);
    });
  }

  /** Somebody did what changes nothing here, and yet what is sent. @throws SelsynError `forwarder.not-found` */
  async note(
    id: string,
    verb: 'reset' | 'resend' | 'discard',
    actor: Actor,
    facts: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const object = { kind: 'forwarder', id };
    await this.#audit.record([{ actor, action: `forwarder.${verb}`, object, group: ROOT_GROUP, after: facts }]);
  }

  #columnsOf({ forwarder, secrets }: OpenForwarder): Omit<ForwarderTable, 'id' | 'created_at_ms'> {
    const { id, paused, createdAtMs: _, updatedAtMs, ...definition } = forwarder;
    const { sealed, keyId } = this.#sealer.seal(Buffer.from(JSON.stringify(secrets)), forwarderPlace(id));
    return { definition: JSON.stringify(definition), paused: paused ? 1 : 0, sealed, key_id: keyId, updated_at_ms: updatedAtMs };
  }

  #open(row: ForwarderTable): OpenForwarder {
    const { id, paused, created_at_ms: createdAtMs, updated_at_ms: updatedAtMs } = row;
    // Both were written by `#columnsOf`.
    const definition = JSON.parse(row.definition) as Omit<Forwarder, 'id' | 'paused' | 'createdAtMs' | 'updatedAtMs'>;
    const secrets = JSON.parse(this.#sealer.open(row.sealed, forwarderPlace(id)).toString('utf8')) as TargetSecrets;
    return {
      forwarder: { ...definition, id, paused: paused === 1, createdAtMs: Number(createdAtMs), updatedAtMs: Number(updatedAtMs) },
      secrets,
    };
  }

  async #record(
    transaction: Database,
    actor: Actor,
    verb: string,
    before: OpenForwarder | undefined,
    after: OpenForwarder | undefined,
  ): Promise<void> {
    const { id } = (after ?? before)!.forwarder;
    const object = { kind: 'forwarder', id };
    await this.#audit.record(
      [
        {
          actor,
          action: `forwarder.${verb}`,
          object,
          group: ROOT_GROUP,
          before: before && shown(before),
          after: after && shown(after),
        },
      ],
      transaction,
    );
  }
}

function batchOf(known: BatchSettings, given: SomeBatchSettings = {}): BatchSettings {
  return {
    maxRecords: given.maxRecords ?? known.maxRecords,
    maxBytes: given.maxBytes ?? known.maxBytes,
    lingerMs: given.lingerMs ?? known.lingerMs,
  };
}

/** Without what is secret. */
export function shown({ forwarder, secrets }: OpenForwarder): KnownForwarder {
  return { ...forwarder, secretNames: Object.keys(secrets).toSorted() };
}

/**
 * Who may change a forwarder could have its secrets sent to a place of their own: where it sends to another place than before, each of
 * them is given anew, or taken away.
 */
function ensureSecretsAreMeant({ forwarder, secrets }: OpenForwarder, target: TargetSettings, patch: ForwarderPatch): void {
  if (placeOf(forwarder.target) === placeOf(target)) return;
  const missing = Object.keys(secrets).filter((name) => !Object.hasOwn(patch.secrets ?? {}, name));
  if (missing.length === 0) return;
  throw new SelsynError('request.invalid', `it would send to another place: give ${missing.join(', ')} again, or null`, {
    details: { field: 'secrets' },
  });
}

/** Without TLS whoever is on the way there reads them: it is another place. */
function placeOf(target: TargetSettings): string {
  if (target.kind === 'kafka') return [target.secure === true, ...[...target.brokers].toSorted()].join();
  const { protocol, host } = new URL(target.url);
  return `${protocol}//${host}`;
}

/** Those that the new kind of target has too, as the patch changes them. */
function secretsAfter(
  { forwarder, secrets }: OpenForwarder,
  patch: ForwarderPatch,
  kind: Forwarder['target']['kind'],
): TargetSecrets {
  const names: readonly string[] = TARGET_SECRETS[kind];
  const kept = Object.entries(secrets).filter(([name]) => forwarder.target.kind === kind || names.includes(name));
  const changed = Object.entries(patch.secrets ?? {});
  const after = new Map<string, string | null | undefined>([...kept, ...changed.filter(([, value]) => value !== undefined)]);
  return Object.fromEntries([...after].filter(([, value]) => typeof value === 'string'));
}
