import type { Actor } from '../audit/actor.ts';
import { AuditTrail } from '../audit/audit-trail.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import type { DecoderTable } from '../database/tables/decoder-tables.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { DeviceTypeStore } from '../registry/device-type-store.ts';
import {
  BUILT_IN_DECODERS,
  checkDecoderDraft,
  type DecoderDefinition,
  type DecoderDraft,
  type DecoderPatch,
} from './decoder-definition.ts';
import { makeDecoder } from './make-decoder.ts';
import type { Trialer } from './trial-job.ts';

export const MAX_DECODERS = 1000;

/** The decoders that were declared: a thousand at most, so that a list is one page. */
export class DecoderStore {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #audit: AuditTrail;
  readonly #scripts: Pick<Trialer, 'check'> | undefined;

  /** @param dependencies.scripts looks at scripts before they are taken; absent: there can be none */
  constructor(dependencies: {
    readonly database: Database;
    readonly clock: Clock;
    readonly scripts?: Pick<Trialer, 'check'> | undefined;
  }) {
    this.#database = dependencies.database;
    this.#scripts = dependencies.scripts;
    this.#clock = dependencies.clock;
    this.#audit = new AuditTrail(dependencies);
  }

  /** @throws SelsynError `decoder.exists`, `request.invalid`, `script.invalid`, `script.over-limit`, `decoder.busy` */
  async create(draft: DecoderDraft, actor: Actor): Promise<DecoderDefinition> {
    checkDraft(draft);
    await this.#checkScript(draft.format);
    return await inTransaction(this.#database, async (transaction) => {
      const store = this.#within(transaction);
      const all = await store.list();
      if (all.some(({ name }) => name === draft.name)) {
        throw new SelsynError('decoder.exists', `there is a decoder ${draft.name} already`, { details: { name: draft.name } });
      }
      if (all.length >= MAX_DECODERS) {
        throw new SelsynError('request.invalid', `there are ${MAX_DECODERS} decoders, which is as many as there can be`);
      }
      const nowMs = this.#afterAll(all);
      const decoder = definitionOf(draft, nowMs, nowMs);
      await transaction.insertInto('decoder').values(rowOf(decoder)).execute();
      await this.#record(transaction, actor, 'create', undefined, decoder);
      return decoder;
    });
  }

  /** @throws SelsynError `decoder.not-found` */
  async get(name: string): Promise<DecoderDefinition> {
    const row = await this.#database.selectFrom('decoder').selectAll().where('name', '=', name).executeTakeFirst();
    if (row === undefined) throw noDecoder(name);
    return decoderOfRow(row);
  }

  /** All, ordered by name. */
  async list(): Promise<readonly DecoderDefinition[]> {
    return (await this.#database.selectFrom('decoder').selectAll().orderBy('name').execute()).map(decoderOfRow);
  }

  /**
   * Changes what is given. It reads all messages that are read from now on: those that are sent after the answer, those that are in the
   * log and were not read yet, and those that come again because the process was killed.
   *
   * @throws SelsynError `decoder.not-found`, `request.invalid`, `script.invalid`, `script.over-limit`, `decoder.busy`
   */
  async update(name: string, patch: DecoderPatch, actor: Actor): Promise<DecoderDefinition> {
    // Before the transaction, which keeps all others from writing.
    if (patch.format?.kind === 'script') {
      const { description, compression } = await this.get(name);
      checkDraft({ name, description, compression, format: patch.format });
      await this.#checkScript(patch.format);
    }
    return await inTransaction(this.#database, async (transaction) => {
      const store = this.#within(transaction);
      const before = await store.get(name);
      const draft: DecoderDraft = {
        name,
        description: patch.description ?? before.description,
        format: patch.format ?? before.format,
        compression: patch.compression ?? before.compression,
      };
      checkDraft(draft);
      const after = definitionOf(draft, before.createdAtMs, this.#afterAll(await store.list()));
      await transaction.updateTable('decoder').set(rowOf(after)).where('name', '=', name).execute();
      await this.#record(transaction, actor, 'update', before, after);
      return after;
    });
  }

  /** @throws SelsynError `decoder.not-found`, `decoder.in-use` while a device type names it */
  async remove(name: string, actor: Actor): Promise<void> {
    await inTransaction(this.#database, async (transaction) => {
      const decoder = await this.#within(transaction).get(name);
      const types = await new DeviceTypeStore({ database: transaction, clock: this.#clock }).list();
      const users = types.filter(({ codec }) => codec === name).map((type) => type.name);
      if (users.length > 0) {
        throw new SelsynError('decoder.in-use', `the device type ${users[0]} is read by ${name}`, {
          details: { name, types: users },
        });
      }
      await transaction.deleteFrom('decoder').where('name', '=', name).execute();
      await this.#record(transaction, actor, 'delete', decoder, undefined);
    });
  }

  /** Whether a device type may name it. */
  async isKnown(codec: string): Promise<boolean> {
    if (BUILT_IN_DECODERS.has(codec)) return true;
    const row = await this.#database.selectFrom('decoder').select('name').where('name', '=', codec).executeTakeFirst();
    return row !== undefined;
  }

  /** What a device type shall name is there. @throws SelsynError `request.invalid` */
  async ensureKnown(codec: string): Promise<void> {
    if (await this.isKnown(codec)) return;
    throw new SelsynError('request.invalid', `there is no decoder ${JSON.stringify(codec)}: declare it first`, {
      details: { field: 'codec', builtIn: [...BUILT_IN_DECODERS.keys()] },
    });
  }

  /** @throws SelsynError `script.invalid`, `script.over-limit`, `decoder.busy` */
  async #checkScript(format: DecoderDraft['format']): Promise<void> {
    if (format.kind !== 'script') return;
    if (this.#scripts === undefined)
      throw new SelsynError('request.invalid', 'scripts are not run here', { details: { field: 'format' } });
    await this.#scripts.check(format.source);
  }

  #within(database: Database): DecoderStore {
    return new DecoderStore({ database, clock: this.#clock, scripts: this.#scripts });
  }

  /** Now, or later than any was changed: by the newest time whoever keeps decoders tells that one has changed. */
  #afterAll(all: readonly DecoderDefinition[]): number {
    return Math.max(this.#clock.now(), ...all.map(({ updatedAtMs }) => updatedAtMs + 1));
  }

  async #record(
    transaction: Database,
    actor: Actor,
    verb: string,
    before: DecoderDefinition | undefined,
    after: DecoderDefinition | undefined,
  ): Promise<void> {
    const object = { kind: 'decoder', id: after?.name ?? before?.name ?? '' };
    await this.#audit.record([{ actor, action: `decoder.${verb}`, object, group: '/', before, after }], transaction);
  }
}

/** As it is in the database: for those who read it without this store. */
export function decoderOfRow(row: DecoderTable): DecoderDefinition {
  const draft = JSON.parse(row.definition) as Omit<DecoderDraft, 'name'>;
  return definitionOf({ ...draft, name: row.name }, Number(row.created_at_ms), Number(row.updated_at_ms));
}

/** A script is looked at where it may be run. */
function checkDraft(draft: DecoderDraft): void {
  checkDecoderDraft(draft);
  if (draft.format.kind !== 'script')
    makeDecoder({ format: draft.format, compression: draft.compression ?? 'none' }, { metrics: [] });
}

function definitionOf(draft: DecoderDraft, createdAtMs: number, updatedAtMs: number): DecoderDefinition {
  const { name, description, format, compression = 'none' } = draft;
  return {
    name,
    ...(description !== undefined && description !== '' && { description }),
    format,
    compression,
    createdAtMs,
    updatedAtMs,
  };
}

function rowOf({ name, description, format, compression, createdAtMs, updatedAtMs }: DecoderDefinition): DecoderTable {
  const definition = JSON.stringify({ description, format, compression });
  return { name, definition, created_at_ms: createdAtMs, updated_at_ms: updatedAtMs };
}

function noDecoder(name: string): SelsynError {
  const why = BUILT_IN_DECODERS.has(name)
    ? `${name} is built in: it cannot be changed or removed`
    : `there is no decoder ${name}`;
  return new SelsynError('decoder.not-found', why, { details: { name } });
}
