import type { StateDatabase } from '../../database/schema.ts';
import { parseShadowField, type ShadowField } from '../../registry/shadow-field.ts';

/** A field by which devices are found. */
export interface SearchableField {
  readonly id: number;
  /** `shadow.reported.mode` */
  readonly field: string;
  readonly createdAtMs: number;
  /** Shadows of before the declaration are still being looked through: not all devices are found yet. */
  readonly isFilling: boolean;
}

/** All of them, in the order of their declaration; from any connection. */
export async function listSearchableFields(database: StateDatabase): Promise<readonly SearchableField[]> {
  const rows = await database.selectFrom('shadow_field').selectAll().orderBy('id').execute();
  return rows.map((row) => ({
    id: Number(row.id),
    field: row.field,
    createdAtMs: Number(row.created_at_ms),
    isFilling: row.filled_to !== null,
  }));
}

/** One that is looked at with each change of a shadow. */
export interface WatchedField extends ShadowField {
  readonly id: number;
}

/** By the name of the shadow. */
export type WatchedFields = ReadonlyMap<string, readonly WatchedField[]>;

export async function watchedFields(database: StateDatabase): Promise<WatchedFields> {
  const fields = new Map<string, WatchedField[]>();
  for (const { id, field } of await listSearchableFields(database)) {
    const parsed = parseShadowField(field);
    if (parsed === undefined) continue;
    fields.set(parsed.shadow, [...(fields.get(parsed.shadow) ?? []), { ...parsed, id }]);
  }
  return fields;
}
