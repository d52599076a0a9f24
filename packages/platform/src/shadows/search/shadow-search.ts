import type { Actor } from '../../audit/actor.ts';
import type { StateDatabase } from '../../database/schema.ts';
import { SelsynError } from '../../kernel/errors.ts';
import { MAX_SHADOW_FIELDS } from '../../registry/shadow-field.ts';
import { valuesAt } from '../../registry/shadow-values.ts';
import type { Batch } from '../../state/batch.ts';
import type { StateDomain } from '../../state/state-domain.ts';
import type { ShadowDocument, ShadowKey } from '../shadow-document.ts';
import type { ShadowFollower } from '../shadow-follower.ts';
import { decodeDocument, keyOf } from '../shadow-row.ts';
import { effectiveDesired } from '../shadow-view.ts';
import {
  listSearchableFields,
  watchedFields,
  type SearchableField,
  type WatchedField,
  type WatchedFields,
} from './declared-fields.ts';
import { ValueQueue } from './value-queue.ts';

export type SearchWork =
  | { readonly kind: 'declare' | 'drop'; readonly field: string; readonly actor: Actor }
  /** Looks through some of the shadows that were there before a field was. */
  | { readonly kind: 'fill' }
  /** Looks through all shadows again, for all fields. */
  | { readonly kind: 'refill' }
  /** Values up to this one are in the registry. */
  | { readonly kind: 'taken'; readonly sequence: number };

export type SearchResult =
  | { readonly kind: 'field'; readonly field: SearchableField | undefined }
  | { readonly kind: 'refused'; readonly error: SelsynError }
  /** Of `fill`: whether there is more to do. */
  | { readonly kind: 'done'; readonly more: boolean };

/** Documents of 8 KB: some 20 ms. */
const SHADOWS_AT_ONCE = 500;
const NOTHING: WatchedFields = new Map();

interface PendingValue {
  readonly device: string;
  readonly fieldId: number;
  value: string | null;
}

/**
 * Tells the registry, which has another database, what devices have in the fields of shadows that were declared searchable: what changes is
 * put into a queue by the transaction that changes the shadow. Costs next to nothing where nothing is declared, or where the fields stay
 * as they are.
 */
export class ShadowSearch implements StateDomain<SearchWork, SearchResult>, ShadowFollower {
  readonly name = 'shadow-search';
  readonly #queue: ValueQueue;
  #fields: WatchedFields = NOTHING;
  /** Of the batch under way, by device and field. */
  #pending = new Map<string, PendingValue>();
  #batch: Batch | undefined;

  /** @param database of the writer. */
  constructor(database: StateDatabase) {
    this.#queue = new ValueQueue(database);
  }

  /** Must be called before shadows are changed. */
  async open(database: StateDatabase): Promise<void> {
    this.#fields = await watchedFields(database);
  }

  changed(
    { device, shadow }: ShadowKey,
    before: ShadowDocument | undefined,
    after: ShadowDocument | undefined,
    batch: Batch,
  ): void {
    const fields = this.#fields.get(shadow);
    if (fields === undefined) return;
    this.#begin(batch);
    for (const field of fields) {
      if (isSameSection(field, before, after)) continue;
      const value = valueOf(field, after);
      if (value !== valueOf(field, before)) this.#note(device, field.id, value);
    }
  }

  async write(batch: Batch): Promise<void> {
    if (this.#pending.size === 0) return;
    const pending = this.#pending;
    this.#pending = new Map();
    await this.#queue.add(batch.transaction, pending.values());
  }

  async apply(works: readonly SearchWork[], batch: Batch): Promise<readonly SearchResult[]> {
    const results: SearchResult[] = [];
    for (const work of works) results.push(await this.#apply(work, batch));
    return results;
  }

  async #apply(work: SearchWork, batch: Batch): Promise<SearchResult> {
    switch (work.kind) {
      case 'declare':
        return await this.#declare(work.field, work.actor, batch);
      case 'drop':
        return await this.#drop(work.field, work.actor, batch);
      case 'fill':
        return { kind: 'done', more: await this.#fill(batch) };
      case 'refill':
        await batch.transaction.updateTable('shadow_field').set({ filled_to: 0 }).execute();
        return { kind: 'done', more: true };
      case 'taken':
        await this.#queue.taken(batch.transaction, work.sequence);
        return { kind: 'done', more: false };
    }
  }

  async #declare(field: string, actor: Actor, batch: Batch): Promise<SearchResult> {
    const { transaction } = batch;
    const fields = await listSearchableFields(transaction);
    const known = fields.find((each) => each.field === field);
    if (known !== undefined) return { kind: 'field', field: known };
    if (fields.length >= MAX_SHADOW_FIELDS) {
      const message = `${MAX_SHADOW_FIELDS} fields of shadows are searchable, which is as many as there can be`;
      return { kind: 'refused', error: new SelsynError('request.invalid', message, { details: { field: 'field' } }) };
    }
    await transaction.insertInto('shadow_field').values({ field, created_at_ms: batch.nowMs, filled_to: 0 }).execute();
    await this.#reload(batch);
    this.#audit('search-field.create', field, actor, batch);
    return { kind: 'field', field: (await listSearchableFields(transaction)).find((each) => each.field === field) };
  }

  async #drop(field: string, actor: Actor, batch: Batch): Promise<SearchResult> {
    const { transaction } = batch;
    const known = (await listSearchableFields(transaction)).find((each) => each.field === field);
    if (known === undefined) return { kind: 'field', field: undefined };
    await transaction.deleteFrom('shadow_field').where('id', '=', known.id).execute();
    // What the queue has of it is passed over by who takes it.
    await this.#reload(batch);
    this.#audit('search-field.delete', field, actor, batch);
    return { kind: 'field', field: known };
  }

  async #reload(batch: Batch): Promise<void> {
    const before = this.#fields;
    this.#fields = await watchedFields(batch.transaction);
    batch.onRollback(() => {
      this.#fields = before;
    });
  }

  #audit(action: string, id: string, actor: Actor, batch: Batch): void {
    batch.audit({ actor, action, object: { kind: 'search-field', id }, group: '/' });
  }

  /** @returns whether there is more to do. */
  async #fill(batch: Batch): Promise<boolean> {
    const { transaction } = batch;
    const filling = await transaction
      .selectFrom('shadow_field')
      .select(['id', 'filled_to'])
      .where('filled_to', 'is not', null)
      .execute();
    const [first] = filling.map((row) => Number(row.filled_to)).sort((a, b) => a - b);
    if (first === undefined) return false;
    const ids = new Set(filling.filter((row) => Number(row.filled_to) === first).map((row) => Number(row.id)));
    const rows = await transaction
      .selectFrom('shadow')
      .selectAll()
      .where('id', '>', first)
      .orderBy('id')
      .limit(SHADOWS_AT_ONCE)
      .execute();
    this.#begin(batch);
    for (const row of rows) {
      const { device, shadow } = keyOf(row.path);
      const fields = (this.#fields.get(shadow) ?? []).filter(({ id }) => ids.has(id));
      const document = fields.length === 0 ? undefined : decodeDocument(row);
      for (const field of fields) {
        const value = valueOf(field, document);
        if (value !== null) this.#note(device, field.id, value);
      }
    }
    await this.write(batch);
    const end = rows.length < SHADOWS_AT_ONCE ? null : Number(rows.at(-1)?.id);
    await transaction
      .updateTable('shadow_field')
      .set({ filled_to: end })
      .where('id', 'in', [...ids])
      .execute();
    return end !== null || ids.size < filling.length;
  }

  #note(device: string, fieldId: number, value: string | null): void {
    this.#pending.set(`${fieldId} ${device}`, { device, fieldId, value });
  }

  #begin(batch: Batch): void {
    if (this.#batch === batch) return;
    this.#batch = batch;
    this.#pending.clear();
    batch.onRollback(() => {
      this.#pending.clear();
      this.#batch = undefined;
    });
  }
}

/** Most changes leave one section as it is, the very object. */
function isSameSection(field: WatchedField, before: ShadowDocument | undefined, after: ShadowDocument | undefined): boolean {
  if (before?.[field.section] !== after?.[field.section]) return false;
  return field.section === 'reported' || before?.inherited === after?.inherited;
}

function valueOf(field: WatchedField, document: ShadowDocument | undefined): string | null {
  if (document === undefined) return null;
  return valuesAt(field.section === 'reported' ? document.reported : effectiveDesired(document), field.path);
}
