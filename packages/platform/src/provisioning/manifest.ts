import type { Actor } from '../audit/actor.ts';
import type { AuditTrail } from '../audit/audit-trail.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database, Schema } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { Scope } from '../registry/scope.ts';
import type { ManifestRow } from './manifest-row.ts';
import { isRefusedRow, readManifest, type ManifestFormat, type NumberedRow, type RefusedManifestRow } from './manifest-reader.ts';
import { noTemplate, type TemplateStore } from './template-store.ts';

export interface ManifestDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly trail: AuditTrail;
  readonly templates: Pick<TemplateStore, 'get'>;
}

/** A serial number that may enrol, or has. */
export interface ManifestEntry {
  readonly serial: string;
  readonly batch?: string;
  readonly keyHash?: string;
  /** Whether it must show an HMAC. */
  readonly hmac: boolean;
  readonly addedAtMs: number;
  readonly usedAtMs?: number;
}

export interface ManifestUpload {
  readonly rows: number;
  readonly added: number;
  /** They were there, just so. */
  readonly unchanged: number;
  readonly refused: number;
  /** The first of them. */
  readonly refusals: readonly RefusedManifestRow[];
}

export interface ManifestQuery {
  readonly serial?: string | undefined;
  readonly state?: 'used' | 'unused' | undefined;
  readonly limit: number;
  /** The last serial of the page before. */
  readonly after?: string | undefined;
}

const ROWS_PER_STATEMENT = 200;
export const MAX_REFUSALS = 10_000;

/** Which serial numbers may enrol by which template. What is out of a caller's scope is not there. */
export class Manifest {
  readonly #dependencies: ManifestDependencies;

  constructor(dependencies: ManifestDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Adds what comes, a thousand rows in a transaction. What was read before it broke off is there; to repeat it does no harm.
   *
   * @throws SelsynError `template.not-found`, `request.invalid` for a file that is none
   */
  async upload(
    template: string,
    chunks: AsyncIterable<Uint8Array>,
    options: { readonly format: ManifestFormat; readonly batch?: string | undefined; readonly signal?: AbortSignal },
    scope: Scope,
    actor: Actor,
  ): Promise<ManifestUpload> {
    const { database, trail, templates } = this.#dependencies;
    const { group } = await templates.get(template, scope);
    const refusals: RefusedManifestRow[] = [];
    const counts = { rows: 0, added: 0, unchanged: 0, refused: 0 };
    const refuse = (row: RefusedManifestRow): void => {
      counts.refused++;
      if (refusals.length < MAX_REFUSALS) refusals.push(row);
    };
    try {
      for await (const rows of readManifest(chunks, options.format, options.batch)) {
        counts.rows += rows.length;
        for (const row of rows) if (isRefusedRow(row)) refuse(row);
        const written = await this.#add(
          template,
          rows.filter((row): row is NumberedRow => !isRefusedRow(row)),
        );
        counts.added += written.added;
        counts.unchanged += written.unchanged;
        written.refused.forEach(refuse);
        // Nobody hears any more what becomes of the rest.
        if (options.signal?.aborted === true) break;
        // Others want the database too.
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      if (counts.added > 0) {
        const after = { ...counts, ...(options.batch !== undefined && { batch: options.batch }) };
        await trail.record(
          [{ actor, action: 'manifest.add', object: { kind: 'manifest', id: template }, group, after }],
          database,
        );
      }
    }
    refusals.sort((one, other) => one.row - other.row);
    return { ...counts, refusals };
  }

  /** By serial, byte by byte. @throws SelsynError `template.not-found` */
  async list(template: string, query: ManifestQuery, scope: Scope): Promise<readonly ManifestEntry[]> {
    await this.#dependencies.templates.get(template, scope);
    let rows = this.#dependencies.database
      .selectFrom('manifest_entry')
      .selectAll()
      .where('template', '=', template)
      .orderBy('serial')
      .limit(query.limit);
    if (query.serial !== undefined) rows = rows.where('serial', '=', query.serial);
    if (query.state === 'used') rows = rows.where('used_at_ms', 'is not', null);
    if (query.state === 'unused') rows = rows.where('used_at_ms', 'is', null);
    if (query.after !== undefined) rows = rows.where('serial', '>', query.after);
    return (await rows.execute()).map(entryOf);
  }

  /** From now on it may not enrol; a device that has stays what it is. @throws SelsynError `template.not-found`, `manifest.not-found` */
  async remove(template: string, serial: string, scope: Scope, actor: Actor): Promise<void> {
    const { database, trail, templates } = this.#dependencies;
    const { group } = await templates.get(template, scope);
    await inTransaction(database, async (transaction) => {
      const deleted = await transaction
        .deleteFrom('manifest_entry')
        .where('template', '=', template)
        .where('serial', '=', serial)
        .executeTakeFirst();
      if (deleted.numDeletedRows === 0n)
        throw new SelsynError('manifest.not-found', `${serial} is not in the manifest of ${template}`, { details: { serial } });
      await trail.record(
        [{ actor, action: 'manifest.remove', object: { kind: 'manifest', id: template }, group, before: { serial } }],
        transaction,
      );
    });
  }

  async #add(
    template: string,
    rows: readonly NumberedRow[],
  ): Promise<{ readonly added: number; readonly unchanged: number; readonly refused: readonly RefusedManifestRow[] }> {
    if (rows.length === 0) return { added: 0, unchanged: 0, refused: [] };
    const { database, clock } = this.#dependencies;
    return await inTransaction(database, async (transaction) => {
      const there = await transaction
        .selectFrom('provisioning_template')
        .select('name')
        .where('name', '=', template)
        .executeTakeFirst();
      if (there === undefined) throw noTemplate(template);
      const known = new Map<string, ManifestRow>();
      const fresh = new Map<string, ManifestRow>();
      const refused: RefusedManifestRow[] = [];
      let unchanged = 0;
      for (const entry of await readEntries(transaction, template, rows)) known.set(entry.serial, entry);
      for (const { row, entry } of rows) {
        const before = known.get(entry.serial) ?? fresh.get(entry.serial);
        if (before === undefined) fresh.set(entry.serial, entry);
        else if (isSame(before, entry)) unchanged++;
        else
          refused.push({
            row,
            serial: entry.serial,
            reason: 'the serial is in the manifest already, with another batch, key or HMAC',
          });
      }
      const values = [...fresh.values()].map((entry) => ({
        template,
        serial: entry.serial,
        batch: entry.batch,
        key_hash: entry.keyHash,
        proof_hash: entry.proofHash,
        added_at_ms: clock.now(),
        used_at_ms: null,
      }));
      for (let start = 0; start < values.length; start += ROWS_PER_STATEMENT) {
        await transaction
          .insertInto('manifest_entry')
          .values(values.slice(start, start + ROWS_PER_STATEMENT))
          .execute();
      }
      return { added: fresh.size, unchanged, refused };
    });
  }
}

async function readEntries(
  transaction: Database,
  template: string,
  rows: readonly NumberedRow[],
): Promise<readonly ManifestRow[]> {
  const entries: ManifestRow[] = [];
  for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
    const found = await transaction
      .selectFrom('manifest_entry')
      .select(['serial', 'batch', 'key_hash', 'proof_hash'])
      .where('template', '=', template)
      .where(
        'serial',
        'in',
        rows.slice(start, start + ROWS_PER_STATEMENT).map(({ entry }) => entry.serial),
      )
      .execute();
    for (const row of found)
      entries.push({ serial: row.serial, batch: row.batch, keyHash: row.key_hash, proofHash: row.proof_hash });
  }
  return entries;
}

function isSame(one: ManifestRow, other: ManifestRow): boolean {
  return one.batch === other.batch && one.keyHash === other.keyHash && one.proofHash === other.proofHash;
}

function entryOf(row: Schema['manifest_entry']): ManifestEntry {
  return {
    serial: row.serial,
    ...(row.batch !== null && { batch: row.batch }),
    ...(row.key_hash !== null && { keyHash: row.key_hash }),
    hmac: row.proof_hash !== null,
    addedAtMs: Number(row.added_at_ms),
    ...(row.used_at_ms !== null && { usedAtMs: Number(row.used_at_ms) }),
  };
}
