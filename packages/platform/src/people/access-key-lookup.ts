import { PreparedLookup } from '../database/prepared-lookup.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { accessKeyPlace, type Sealer } from '../secrets/sealer.ts';
import { isAccessKeyId } from './access-key-words.ts';
import type { Grant } from './caller.ts';
import { grantOf } from './grant-store.ts';
import { NotedTimes } from './noted-times.ts';

/** A key that holds now, with its secret. */
export interface HeldAccessKey {
  readonly id: string;
  readonly name: string;
  /** What a request must be signed with. */
  readonly secret: string;
  /** Who signs: a device, which may do what its policies say, or whoever has these roles. */
  readonly holder: { readonly device: string } | { readonly grants: readonly Grant[] };
  /** As stored. */
  readonly usedAtMs: number | undefined;
}

const USED_EVERY_MS = 60_000;
const MAX_SERVICE_LENGTH = 64;

/** Finds access keys by the id that a request names. */
export class AccessKeyLookup {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #sealer: Pick<Sealer, 'open'>;
  readonly #byId: PreparedLookup<KeyRow>;
  readonly #used = new NotedTimes(USED_EVERY_MS);

  constructor(dependencies: { readonly database: Database; readonly clock: Clock; readonly sealer: Pick<Sealer, 'open'> }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#sealer = dependencies.sealer;
    this.#byId = new PreparedLookup(this.#database, (id) => keyQuery(this.#database, id));
  }

  /** Undefined: there is no such key, or it is disabled or has expired. @throws SelsynError `secrets.unreadable` */
  async find(id: string): Promise<HeldAccessKey | undefined> {
    if (!isAccessKeyId(id)) return undefined;
    const rows = await this.#byId.find(id);
    const [row] = rows;
    if (row === undefined || row.disabled !== 0) return undefined;
    if (row.expires_at_ms !== null && Number(row.expires_at_ms) <= this.#clock.now()) return undefined;
    const grants = rows.flatMap(({ role, group_path, source, permissions }) =>
      role === null || group_path === null || source === null ? [] : [grantOf({ role, group_path, source, permissions })],
    );
    return {
      id,
      name: row.name,
      secret: this.#sealer.open(row.sealed, accessKeyPlace(id)).toString('utf8'),
      holder: row.device_id === null ? { grants } : { device: row.device_id },
      usedAtMs: row.used_at_ms === null ? undefined : Number(row.used_at_ms),
    };
  }

  /** A request was signed with it, as it should be. Kept to the minute. */
  async noteUse({ id, usedAtMs }: Pick<HeldAccessKey, 'id' | 'usedAtMs'>, service: string): Promise<void> {
    const nowMs = this.#clock.now();
    if (!this.#used.due(id, usedAtMs, nowMs)) return;
    await this.#database
      .updateTable('access_key')
      .set({ used_at_ms: nowMs, used_service: service.slice(0, MAX_SERVICE_LENGTH) })
      .where('id', '=', id)
      .execute();
  }
}

/** A key with one of its grants, or with none. */
type KeyRow = Awaited<ReturnType<ReturnType<typeof keyQuery>['execute']>>[number];

function keyQuery(database: Database, id: string) {
  return database
    .selectFrom('access_key')
    .leftJoin('role_grant', (join) =>
      join.onRef('role_grant.holder_id', '=', 'access_key.id').on('role_grant.holder_kind', '=', 'access-key'),
    )
    .leftJoin('role', 'role.name', 'role_grant.role')
    .select(['access_key.name as name', 'device_id', 'sealed', 'disabled', 'expires_at_ms', 'used_at_ms'])
    .select(['role_grant.role as role', 'role_grant.group_path as group_path', 'source', 'permissions'])
    .where('access_key.id', '=', id);
}
