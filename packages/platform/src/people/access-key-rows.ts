import { sql, type Expression, type SqlBool } from 'kysely';
import type { Database, Schema } from '../database/schema.ts';
import { SelsynError } from '../kernel/errors.ts';
import { AFTER_SLASH, ROOT_GROUP } from '../registry/group-path.ts';
import type { Scope } from '../registry/scope.ts';
import type { AccessKey } from './access-keys.ts';
import type { GrantStore } from './grant-store.ts';

/** Without what is sealed. */
export type AccessKeyRow = Omit<Schema['access_key'], 'sealed' | 'key_id'> & {
  /** The node whose administrators look after it: that of its device, where it has one. */
  readonly home: string;
};

const COLUMNS = [
  'access_key.id',
  'access_key.name',
  'device_id',
  'group_path',
  'disabled',
  'access_key.created_at_ms',
  'expires_at_ms',
  'used_at_ms',
  'used_service',
] as const;

export async function findAccessKey(database: Database, id: string): Promise<AccessKeyRow | undefined> {
  return await keysWithHomes(database).where('access_key.id', '=', id).executeTakeFirst();
}

/** Oldest first. @throws SelsynError `request.invalid` for a cursor that is none */
export async function accessKeysPage(
  database: Database,
  query: {
    readonly scope: Scope;
    readonly device: string | undefined;
    readonly limit: number;
    readonly cursor: string | undefined;
  },
): Promise<{ readonly rows: readonly AccessKeyRow[]; readonly cursor: string | undefined }> {
  const { scope, device, limit, cursor } = query;
  let rows = keysWithHomes(database)
    .orderBy('access_key.created_at_ms')
    .orderBy('access_key.id')
    .limit(limit + 1);
  if (device !== undefined) rows = rows.where('device_id', '=', device);
  if (!scope.groups.includes(ROOT_GROUP))
    rows = rows.where((builder) => builder.or(scope.groups.map((group) => isWithinGroup(group))));
  if (cursor !== undefined) {
    const { createdAtMs, id } = placeOf(cursor);
    rows = rows.where((builder) =>
      builder.or([
        builder('access_key.created_at_ms', '>', createdAtMs),
        builder.and([builder('access_key.created_at_ms', '=', createdAtMs), builder('access_key.id', '>', id)]),
      ]),
    );
  }
  const found = await rows.execute();
  const page = found.slice(0, limit);
  const last = found.length > limit ? page.at(-1) : undefined;
  return { rows: page, cursor: last === undefined ? undefined : cursorOf(last) };
}

/** With their roles, in the order of the rows. */
export async function accessKeysOf(
  database: Database,
  grants: GrantStore,
  rows: readonly AccessKeyRow[],
): Promise<readonly AccessKey[]> {
  const held = await grants.listOf(
    database,
    'access-key',
    rows.flatMap(({ id, device_id: device }) => (device === null ? [id] : [])),
  );
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    group: row.home,
    device: row.device_id ?? undefined,
    grants: (held.get(row.id) ?? []).map(({ role, group }) => ({ role, group })),
    disabled: row.disabled !== 0,
    createdAtMs: Number(row.created_at_ms),
    ...(row.expires_at_ms !== null && { expiresAtMs: Number(row.expires_at_ms) }),
    ...(row.used_at_ms !== null && { usedAtMs: Number(row.used_at_ms) }),
    ...(row.used_service !== null && { usedService: row.used_service }),
  }));
}

const HOME = sql<string>`coalesce(device_group.path, access_key.group_path)`;

function keysWithHomes(database: Database) {
  return database
    .selectFrom('access_key')
    .leftJoin('device', 'device.id', 'access_key.device_id')
    .leftJoin('device_group', 'device_group.id', 'device.group_id')
    .select(COLUMNS)
    .select(HOME.as('home'));
}

function isWithinGroup(group: string): Expression<SqlBool> {
  return sql<SqlBool>`(${HOME} = ${group} or (${HOME} > ${`${group}/`} and ${HOME} < ${group + AFTER_SLASH}))`;
}

function cursorOf({ created_at_ms: createdAtMs, id }: AccessKeyRow): string {
  return Buffer.from(`${Number(createdAtMs)} ${id}`).toString('base64url');
}

/** @throws SelsynError `request.invalid` */
function placeOf(cursor: string): { readonly createdAtMs: number; readonly id: string } {
  const [, createdAtMs, id] = /^(\d{1,15}) ([A-Z0-9]{1,32})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? [];
  if (createdAtMs === undefined || id === undefined)
    throw new SelsynError('request.invalid', 'the cursor is none that this server gave', { details: { field: 'cursor' } });
  return { createdAtMs: Number(createdAtMs), id };
}
