import type { StateDatabase } from '../../database/schema.ts';
import type { ShadowMergePolicyTable } from '../../database/tables/shadow-search-tables.ts';
import { MERGE_POLICIES, type MergePolicy } from './merge-policy.ts';

/** In the place of a device type or of a shadow: any. */
export const ANY = '*';
export const MAX_MERGE_POLICIES = 1_000;

/** What a policy is for. */
export interface MergePolicyKey {
  /** ANY: of whatever type, or of none. */
  readonly deviceType: string;
  /** '' is the classic one, ANY any. */
  readonly shadow: string;
}

export interface MergePolicyRecord extends MergePolicyKey {
  readonly policy: MergePolicy;
  /** Of `custom`: JavaScript with a function `merge(conflict)`. */
  readonly script?: string | undefined;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** How shadows of edges are merged, from any connection. */
export class MergePolicyStore {
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  /** All, ordered by type and shadow. */
  async list(): Promise<readonly MergePolicyRecord[]> {
    const rows = await this.#database
      .selectFrom('shadow_merge_policy')
      .selectAll()
      .orderBy('device_type')
      .orderBy('shadow')
      .execute();
    return rows.map(recordOf);
  }

  async find({ deviceType, shadow }: MergePolicyKey): Promise<MergePolicyRecord | undefined> {
    const row = await this.#database
      .selectFrom('shadow_merge_policy')
      .selectAll()
      .where('device_type', '=', deviceType)
      .where('shadow', '=', shadow)
      .executeTakeFirst();
    return row === undefined ? undefined : recordOf(row);
  }

  /** The one that counts for a shadow: that of type and shadow, else of the type, else of the shadow, else for all. Undefined: none. */
  async choose(deviceType: string | undefined, shadow: string): Promise<MergePolicyRecord | undefined> {
    const rows = await this.#database
      .selectFrom('shadow_merge_policy')
      .selectAll()
      .where('device_type', 'in', [deviceType ?? ANY, ANY])
      .where('shadow', 'in', [shadow, ANY])
      .execute();
    const weight = (row: { readonly device_type: string; readonly shadow: string }): number =>
      (row.device_type === ANY ? 0 : 2) + (row.shadow === ANY ? 0 : 1);
    const [best] = rows.sort((a, b) => weight(b) - weight(a));
    return best === undefined ? undefined : recordOf(best);
  }
}

function recordOf(row: Readonly<Pick<ShadowMergePolicyTable, keyof ShadowMergePolicyTable>>): MergePolicyRecord {
  return {
    deviceType: row.device_type,
    shadow: row.shadow,
    policy: MERGE_POLICIES.find((each) => each === row.policy) ?? 'last-write',
    ...(row.script !== null && { script: row.script }),
    createdAtMs: Number(row.created_at_ms),
    updatedAtMs: Number(row.updated_at_ms),
  };
}
