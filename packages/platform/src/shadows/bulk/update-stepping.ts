import type { Selectable } from 'kysely';
import type { Actor } from '../../audit/actor.ts';
import type { Database } from '../../database/schema.ts';
import type { ShadowUpdateTable } from '../../database/tables/shadow-fleet-tables.ts';
import { scopeIncludes, type Scope } from '../../registry/scope.ts';
import { chunksOf } from '../../registry/statement-chunks.ts';
import type { Batch } from '../../state/batch.ts';
import type { FleetRules } from '../defaults/fleet-rules.ts';
import type { JsonObject } from '../shadow-document.ts';
import type { ShadowDomain } from '../shadow-domain.ts';
import { shadowError } from '../shadow-faults.ts';
import type { ChangeWork, ShadowResult } from '../shadow-work.ts';
import { ALL_SHADOWS, MAX_FAILURES_KEPT, type ShadowUpdateFailure } from './shadow-update.ts';
import { dropMembers, nextMembers } from './update-members.ts';
import { desiredRule, inheritRule } from './update-rules.ts';

/** Changes of shadows in one step: a batch of so many takes some 15 ms. */
export const STEP_CHANGES = 500;
const FAILURES_PER_STATEMENT = 250;
/** Of what a device inherits: nobody changes it for this device. */
const INHERITANCE_AUTHOR = 'system:shadow-defaults';

export interface StepResult {
  /** Devices. */
  readonly dealtWith: number;
  readonly isOver: boolean;
}

interface Member {
  readonly id: string;
  readonly group: string;
}

/** What came of one device. */
type Outcome = { readonly kind: 'done' | 'unchanged' } | { readonly kind: 'failed'; readonly failure: ShadowUpdateFailure };

/** Goes on with updates of many shadows, step by step: what a step does, and how far the update is then, are in one batch. */
export class UpdateStepping {
  readonly #registry: Database;
  readonly #shadows: Pick<ShadowDomain, 'apply'>;
  readonly #rules: FleetRules;

  constructor(dependencies: {
    readonly registry: Database;
    readonly shadows: Pick<ShadowDomain, 'apply'>;
    readonly rules: FleetRules;
  }) {
    this.#registry = dependencies.registry;
    this.#shadows = dependencies.shadows;
    this.#rules = dependencies.rules;
  }

  /**
   * Deals with the next devices, at most `limit`.
   *
   * @param options.giveUp the next device made the server fail: it is put among the failures.
   */
  async step(id: string, limit: number, batch: Batch, options: { readonly giveUp?: boolean } = {}): Promise<StepResult> {
    const { transaction, nowMs } = batch;
    const update = await transaction
      .selectFrom('shadow_update')
      .selectAll()
      .where('id', '=', id)
      .where('state', '=', 'running')
      .executeTakeFirst();
    if (update === undefined) return { dealtWith: 0, isOver: true };
    const shadows = await this.#shadowsOf(update, batch);
    const most =
      options.giveUp === true ? 1 : Math.max(1, Math.min(limit, Math.floor(STEP_CHANGES / Math.max(1, shadows.length))));
    const numbers = await nextMembers(transaction, id, Number(update.cursor), most);
    const members = await this.#find(numbers);
    const outcomes =
      options.giveUp === true
        ? members.map(({ id: device }) => failed(device, 'internal', 'the change failed; the log of the server tells why'))
        : await this.#change(update, members, shadows, batch);
    const failures = outcomes.flatMap((outcome) => (outcome.kind === 'failed' ? [outcome.failure] : []));
    await this.#keep(update, failures, batch);
    const done = outcomes.filter(({ kind }) => kind === 'done').length;
    const isOver = numbers.length < most;
    await transaction
      .updateTable('shadow_update')
      .set({
        done: Number(update.done) + done,
        // Those that are no more need nothing.
        unchanged: Number(update.unchanged) + numbers.length - done - failures.length,
        failed: Number(update.failed) + failures.length,
        cursor: numbers.at(-1) ?? update.cursor,
        updated_at_ms: nowMs,
        ...(isOver && { state: 'done', finished_at_ms: nowMs }),
      })
      .where('id', '=', id)
      .execute();
    if (isOver) await dropMembers(transaction, id);
    return { dealtWith: numbers.length, isOver };
  }

  async #shadowsOf({ shadow }: Selectable<ShadowUpdateTable>, batch: Batch): Promise<readonly string[]> {
    return shadow === ALL_SHADOWS ? [...(await this.#rules.defaults(batch)).shadows] : [shadow];
  }

  async #change(
    update: Selectable<ShadowUpdateTable>,
    members: readonly Member[],
    shadows: readonly string[],
    batch: Batch,
  ): Promise<readonly Outcome[]> {
    const scope: Scope = { groups: JSON.parse(update.scope) as readonly string[] };
    const within = members.filter(({ group }) => scopeIncludes(scope, group));
    const isWithin = new Set(within.map(({ id }) => id));
    const left = members
      .filter(({ id }) => !isWithin.has(id))
      .map(({ id }) => failed(id, 'device.not-found', `there is no device ${id} where you may change shadows: it was moved`));
    const change = this.#changeOf(update);
    const works = within.flatMap(({ id }) => shadows.map((shadow) => change(id, shadow)));
    const results = works.length === 0 ? [] : await this.#shadows.apply(works, batch);
    return [...left, ...within.map(({ id }, index) => outcomeOf(id, shadows, results.slice(index * shadows.length)))];
  }

  #changeOf(update: Selectable<ShadowUpdateTable>): (device: string, shadow: string) => ChangeWork {
    if (update.kind === 'defaults') {
      return (device, shadow) => ({
        kind: 'change',
        device,
        shadow,
        rule: inheritRule(() => this.#rules.inheritanceOf({ device, shadow })),
        author: INHERITANCE_AUTHOR,
      });
    }
    const rule = desiredRule(JSON.parse(update.desired) as JsonObject);
    const { kind, id } = JSON.parse(update.actor) as Actor;
    const expectedVersion = update.expected_version === null ? undefined : Number(update.expected_version);
    return (device, shadow) => ({ kind: 'change', device, shadow, rule, author: `${kind}:${id}`, expectedVersion });
  }

  /** Those of the devices that there are, in the order of their numbers. */
  async #find(numbers: readonly number[]): Promise<readonly Member[]> {
    const found = new Map<number, Member>();
    for (const some of chunksOf(numbers)) {
      const rows = await this.#registry
        .selectFrom('device')
        .innerJoin('device_group', 'device_group.id', 'device.group_id')
        .select(['device.number', 'device.id', 'device_group.path'])
        .where('device.number', 'in', some)
        .execute();
      for (const { number, id, path } of rows) found.set(Number(number), { id, group: path });
    }
    return numbers.flatMap((number) => found.get(number) ?? []);
  }

  async #keep(
    update: Selectable<ShadowUpdateTable>,
    failures: readonly ShadowUpdateFailure[],
    { transaction }: Batch,
  ): Promise<void> {
    const room = Math.max(0, MAX_FAILURES_KEPT - Number(update.failed));
    const rows = failures.slice(0, room).map((failure) => ({ update_id: update.id, ...failure }));
    for (let start = 0; start < rows.length; start += FAILURES_PER_STATEMENT) {
      await transaction
        .insertInto('shadow_update_failure')
        .values(rows.slice(start, start + FAILURES_PER_STATEMENT))
        .execute();
    }
  }
}

/** Of a device and its shadows: one that was refused counts most. */
function outcomeOf(device: string, shadows: readonly string[], results: readonly ShadowResult[]): Outcome {
  let outcome: Outcome = { kind: 'unchanged' };
  for (const [index, shadow] of shadows.entries()) {
    const result = results[index];
    if (result?.kind === 'put') outcome = { kind: 'done' };
    if (result?.kind !== 'refused') continue;
    const { code, message } = shadowError(result.fault, { device, shadow });
    return failed(device, code, message);
  }
  return outcome;
}

function failed(device: string, code: string, reason: string): Outcome & { readonly kind: 'failed' } {
  return { kind: 'failed', failure: { device, code, reason } };
}
