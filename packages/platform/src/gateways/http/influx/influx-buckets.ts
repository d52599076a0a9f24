/*
 * What programs for InfluxDB 2 look up before they write: their organization and their bucket. There is one store here, so that any of
 * either is there already, and none can be made.
 *
 *   GET  /api/v2/orgs?org=NAME        { "orgs": [{ "id", "name" }] }
 *   GET  /api/v2/buckets?name=NAME    { "buckets": [{ "id", "orgID", "type", "name", "retentionRules" }] }
 *   POST /api/v2/buckets              422: it is there
 */
const ID = '0000000000000001';
const DEFAULT_NAME = 'selsyn';

export interface Organizations {
  readonly orgs: readonly { readonly id: string; readonly name: string }[];
}

export interface Buckets {
  readonly buckets: readonly {
    readonly id: string;
    readonly orgID: string;
    readonly type: 'user';
    readonly name: string;
    readonly retentionRules: readonly never[];
  }[];
}

/** @param name that is looked for, if any */
export function organizations(name: string | null): Organizations {
  return { orgs: [{ id: ID, name: name || DEFAULT_NAME }] };
}

/** @param name that is looked for, if any */
export function buckets(name: string | null): Buckets {
  return { buckets: [{ id: ID, orgID: ID, type: 'user', name: name || DEFAULT_NAME, retentionRules: [] }] };
}
