import type { Actor } from '../audit/actor.ts';
import type { AuditTrail } from '../audit/audit-trail.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database, Schema } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { EVERYTHING, scopeIncludes, type Scope } from '../registry/scope.ts';
import { CompiledTemplate } from './compiled-template.ts';
import type { Template, TemplateDefinition } from './template.ts';
import { checkTemplate, checkTemplateName } from './template-check.ts';

export interface TemplateStoreDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly trail: AuditTrail;
}

/** A template with its texts read. */
export interface UsableTemplate {
  readonly template: Template;
  readonly compiled: CompiledTemplate;
}

const MAX_TEMPLATES = 1_000;
const MAX_COMPILED = 100;

/** Templates. What is out of a caller's scope is not there. */
export class TemplateStore {
  readonly #dependencies: TemplateStoreDependencies;
  /** By their definition itself, so that it is never one of before. */
  readonly #compiled = new Map<string, CompiledTemplate>();

  constructor(dependencies: TemplateStoreDependencies) {
    this.#dependencies = dependencies;
  }

  /** By name. */
  async list(scope: Scope = EVERYTHING): Promise<readonly Template[]> {
    const rows = await this.#dependencies.database.selectFrom('provisioning_template').selectAll().orderBy('name').execute();
    return rows.map(templateOf).filter(({ group }) => scopeIncludes(scope, group));
  }

  async find(name: string, database: Database = this.#dependencies.database): Promise<UsableTemplate | undefined> {
    const row = await database.selectFrom('provisioning_template').selectAll().where('name', '=', name).executeTakeFirst();
    if (row === undefined) return undefined;
    const template = templateOf(row);
    let compiled = this.#compiled.get(row.definition);
    if (compiled === undefined) {
      if (this.#compiled.size >= MAX_COMPILED) this.#compiled.clear();
      compiled = new CompiledTemplate(template);
      this.#compiled.set(row.definition, compiled);
    }
    return { template, compiled };
  }

  /** @throws SelsynError `template.not-found` */
  async get(name: string, scope: Scope = EVERYTHING): Promise<Template> {
    const found = await this.find(name);
    if (found === undefined || !scopeIncludes(scope, found.template.group)) throw noTemplate(name);
    return found.template;
  }

  /**
   * Makes a template, or replaces the one of this name.
   *
   * @param draft a TemplateDraft.
   * @param scope in which the caller may do so: neither its group nor that of the one before may be outside.
   * @returns true where it is new.
   * @throws SelsynError `request.invalid`, `request.too-large`, `policy.not-found`, `device-type.not-found`, `template.not-found` where
   * one of this name is out of the scope
   */
  async put(
    { name, enabled, ...draft }: { readonly name: string; readonly enabled: boolean } & Record<string, unknown>,
    scope: Scope,
    actor: Actor,
  ): Promise<boolean> {
    checkTemplateName(name);
    const { definition, compiled } = checkTemplate(draft);
    const { group } = compiled;
    if (!scopeIncludes(scope, group)) {
      throw new SelsynError('access.denied', `its devices would stand in ${group}: this caller may not decide there`, {
        details: { group },
      });
    }
    const { database, clock, trail } = this.#dependencies;
    return await inTransaction(database, async (transaction) => {
      const before = await transaction
        .selectFrom('provisioning_template')
        .selectAll()
        .where('name', '=', name)
        .executeTakeFirst();
      if (before !== undefined && !scopeIncludes(scope, before.group_path)) throw noTemplate(name);
      if (before === undefined) await this.#ensureRoom(transaction);
      await ensureThere(transaction, definition);
      const nowMs = clock.now();
      const columns = {
        definition: JSON.stringify(definition),
        enabled: enabled ? 1 : 0,
        group_path: group,
        updated_at_ms: nowMs,
      };
      await transaction
        .insertInto('provisioning_template')
        .values({ name, created_at_ms: nowMs, ...columns })
        .onConflict((conflict) => conflict.column('name').doUpdateSet(columns))
        .execute();
      await trail.record(
        [
          {
            actor,
            action: before === undefined ? 'template.create' : 'template.update',
            object: { kind: 'template', id: name },
            group,
            ...(before !== undefined && { before: describe(templateOf(before)) }),
            after: { enabled, ...definition },
          },
        ],
        transaction,
      );
      return before === undefined;
    });
  }

  /** With its manifest, in steps: that goes first. @throws SelsynError `template.not-found`, `template.in-use` */
  async remove(name: string, scope: Scope, actor: Actor): Promise<void> {
    const before = await this.get(name, scope);
    const { database, clock, trail } = this.#dependencies;
    await ensureUnused(database, name, clock.now());
    while (await forgetSomeEntries(database, name)) await new Promise((resolve) => setImmediate(resolve));
    await inTransaction(database, async (transaction) => {
      await ensureUnused(transaction, name, clock.now());
      while (await forgetSomeEntries(transaction, name));
      await transaction.deleteFrom('enrolment_quarantine').where('template', '=', name).execute();
      // Not for the next template of this name.
      await transaction.deleteFrom('provisioning_token').where('template', '=', name).execute();
      // Its certificates are revoked, or have expired: a batch of the same name does not bring them back.
      await transaction.deleteFrom('claim_batch').where('template', '=', name).execute();
      await transaction.deleteFrom('provisioning_template').where('name', '=', name).execute();
      await trail.record(
        [
          {
            actor,
            action: 'template.remove',
            object: { kind: 'template', id: name },
            group: before.group,
            before: describe(before),
          },
        ],
        transaction,
      );
    });
  }

  async #ensureRoom(transaction: Database): Promise<void> {
    const { count } = await transaction
      .selectFrom('provisioning_template')
      .select((builder) => builder.fn.countAll().as('count'))
      .executeTakeFirstOrThrow();
    if (Number(count) >= MAX_TEMPLATES)
      throw new SelsynError('request.too-large', `there are ${MAX_TEMPLATES} templates already: remove some first`);
  }
}

/** What everybody answers who was asked for a template that is not there. */
export function noTemplate(name: string): SelsynError {
  return new SelsynError('template.not-found', `there is no provisioning template ${name}`, { details: { name } });
}

async function ensureUnused(database: Database, name: string, nowMs: number): Promise<void> {
  const batch = await database
    .selectFrom('claim_batch')
    .select('name')
    .where('template', '=', name)
    .where('stopped_at_ms', 'is', null)
    .where('expires_at_ms', '>', nowMs)
    .executeTakeFirst();
  const authority = await database.selectFrom('authority').select('subject').where('template', '=', name).executeTakeFirst();
  const token = await database
    .selectFrom('provisioning_token')
    .select('id')
    .where('template', '=', name)
    .where('stopped_at_ms', 'is', null)
    .where('expires_at_ms', '>', nowMs)
    .executeTakeFirst();
  const user =
    batch !== undefined
      ? `the claim batch ${batch.name}`
      : token !== undefined
        ? `the provisioning token ${token.id}`
        : authority?.subject;
  if (user !== undefined)
    throw new SelsynError('template.in-use', `${user} enrols by the template ${name}`, { details: { name } });
}

/** @returns whether there may be more */
async function forgetSomeEntries(database: Database, template: string): Promise<boolean> {
  const rows = await database
    .selectFrom('manifest_entry')
    .select('serial')
    .where('template', '=', template)
    .limit(2_000)
    .execute();
  const serials = rows.map(({ serial }) => serial);
  if (serials.length === 0) return false;
  await database.deleteFrom('manifest_entry').where('template', '=', template).where('serial', 'in', serials).execute();
  return true;
}

async function ensureThere(transaction: Database, { policies, device }: TemplateDefinition): Promise<void> {
  for (const name of policies) {
    const policy = await transaction.selectFrom('policy').select('name').where('name', '=', name).executeTakeFirst();
    if (policy === undefined) throw new SelsynError('policy.not-found', `there is no policy ${name}`, { details: { name } });
  }
  const { type } = device;
  if (type === undefined) return;
  const known = await transaction.selectFrom('device_type').select('name').where('name', '=', type).executeTakeFirst();
  if (known === undefined)
    throw new SelsynError('device-type.not-found', `there is no device type ${type}`, { details: { name: type } });
}

function describe({
  enabled,
  description,
  parameters,
  serial,
  device,
  policies,
  configuration,
  manifestRequired,
  hook,
}: Template): unknown {
  return { enabled, description, parameters, serial, device, policies, configuration, manifestRequired, hook };
}

function templateOf(row: Schema['provisioning_template']): Template {
  // It was checked when it was written.
  const definition = JSON.parse(row.definition) as TemplateDefinition;
  return {
    name: row.name,
    enabled: Number(row.enabled) === 1,
    group: row.group_path,
    ...definition,
    createdAtMs: Number(row.created_at_ms),
    updatedAtMs: Number(row.updated_at_ms),
  };
}
